package kube_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cluster is an etcd and a kube-apiserver.
type cluster struct {
	t         *testing.T
	dir       string // certificates, keys, kubeconfig, audit.log
	etcdURL   string
	url       string
	etcdArgv  []string
	argv      []string
	etcd, api *process
	key       *ecdsa.PrivateKey // signs the tokens of service accounts
	client    *http.Client
}

const adminToken = "the-token-of-the-admin"

// object is one of the API.
type object = map[string]any

func startCluster(t *testing.T, args ...string) *cluster {
	t.Helper()
	address := freeAddress(t)
	c := &cluster{t: t, dir: t.TempDir(), etcdURL: "http://" + freeAddress(t), url: "https://" + address, client: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: bound}}
	t.Cleanup(c.client.CloseIdleConnections)
	c.etcdArgv = []string{"etcd", "--data-dir", t.TempDir(), "--listen-client-urls", c.etcdURL, "--advertise-client-urls", c.etcdURL,
		"--listen-peer-urls", "http://" + freeAddress(t)}
	c.writeKeys()
	c.write("tokens.csv", adminToken+`,admin,admin,"system:masters"`)
	c.write("audit.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata, resources: [{group: discovery.k8s.io}]}, {level: None}]\n")
	_, port, _ := strings.Cut(address, ":")
	c.argv = append([]string{built.apiserver, "--etcd-servers", c.etcdURL, "--bind-address", "127.0.0.1", "--secure-port", port,
		"--advertise-address", "10.77.0.200", "--endpoint-reconciler-type", "none", "--cert-dir", c.file("certs"),
		"--service-cluster-ip-range", "10.96.0.0/16,fd96::/112", "--authorization-mode", "RBAC", "--token-auth-file", c.file("tokens.csv"),
		"--service-account-issuer", issuer, "--service-account-key-file", c.file("sa.pub"), "--service-account-signing-key-file", c.file("sa.key"),
		"--audit-policy-file", c.file("audit.yaml"), "--audit-log-path", c.file("audit.log")}, args...)
	c.startEtcd()
	c.startAPI()
	c.apply("/api/v1/namespaces/shop", object{})
	return c
}

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) write(name, text string) string {
	c.t.Helper()
	if err := os.WriteFile(c.file(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return c.file(name)
}

func (c *cluster) writeKeys() {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		c.t.Fatal(err)
	}
	c.key = key
	c.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})))
	c.write("sa.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
}

func (c *cluster) startEtcd() {
	c.t.Helper()
	c.etcd = startProcess(c.t, c.etcdArgv...)
	waitFor(c.t, "etcd to serve", func() bool { return c.healthy(c.etcdURL + "/health") })
}

func (c *cluster) startAPI() {
	c.t.Helper()
	c.api = startProcess(c.t, c.argv...)
	began := time.Now()
	waitFor(c.t, "the API server to be ready", func() bool { return c.healthy(c.url + "/readyz") })
	c.t.Logf("the API server took %v to be ready", time.Since(began).Round(time.Second/10))
}

func (c *cluster) healthy(url string) bool {
	_, code := c.send("GET", url, "", nil)
	return code == 200
}

// send returns an answer's body and status; 0 = there was none.
func (c *cluster) send(method, url, contentType string, body any) (object, int) {
	c.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.HasPrefix(url, c.url) {
		r.Header.Set("Authorization", "Bearer "+adminToken)
	}
	r.Header.Set("Content-Type", contentType)
	response, err := c.client.Do(r)
	if err != nil {
		return nil, 0
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, 0
	}
	var o object
	json.Unmarshal(raw, &o) // not all answers are objects
	return o, response.StatusCode
}

func (c *cluster) must(method, path, contentType string, body any) object {
	c.t.Helper()
	o, code := c.send(method, c.url+path, contentType, body)
	if code/100 != 2 {
		c.t.Fatalf("%s %s: %d, %v", method, path, code, o)
	}
	return o
}

// kinds of objects, by the last but one part of their path.
var kinds = map[string][2]string{
	"namespaces": {"v1", "Namespace"}, "services": {"v1", "Service"}, "serviceaccounts": {"v1", "ServiceAccount"}, "configmaps": {"v1", "ConfigMap"},
	"endpointslices": {"discovery.k8s.io/v1", "EndpointSlice"},
	"roles":          {"rbac.authorization.k8s.io/v1", "Role"}, "rolebindings": {"rbac.authorization.k8s.io/v1", "RoleBinding"},
}

// apply makes an object, or changes it.
func (c *cluster) apply(path string, o object) object {
	c.t.Helper()
	parts := strings.Split(path, "/")
	kind, name := kinds[parts[len(parts)-2]], parts[len(parts)-1]
	o["apiVersion"], o["kind"] = kind[0], kind[1]
	meta, ok := o["metadata"].(object)
	if !ok {
		meta = object{}
	}
	meta["name"] = name
	o["metadata"] = meta
	return c.must("PATCH", path+"?fieldManager=test&force=true", "application/apply-patch+yaml", o)
}

func (c *cluster) delete(path string) {
	c.t.Helper()
	c.must("DELETE", path, "application/json", nil)
}

// service makes one in the namespace shop.
func (c *cluster) service(name string, spec object) {
	c.t.Helper()
	c.apply("/api/v1/namespaces/shop/services/"+name, object{"spec": spec})
}

var headless = object{"clusterIP": "None", "ports": []object{{"name": "http", "port": 80}}}

const slicesPath = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/"

// slice makes or changes one of a Service.
func (c *cluster) slice(name, service string, ports []object, endpoints ...object) {
	c.t.Helper()
	family := "IPv4"
	if len(endpoints) > 0 && strings.Contains(endpoints[0]["addresses"].([]string)[0], ":") {
		family = "IPv6"
	}
	o := object{"metadata": object{"labels": object{"kubernetes.io/service-name": service}},
		"addressType": family, "endpoints": append([]object{}, endpoints...)}
	if ports != nil {
		o["ports"] = ports
	}
	c.apply(slicesPath+name, o)
}

var httpPort = []object{{"name": "http", "port": 8080, "protocol": "TCP"}}

// compact makes etcd forget all but its newest revision.
func (c *cluster) compact() {
	c.t.Helper()
	answer, code := c.send("POST", c.etcdURL+"/v3/kv/range", "application/json", object{"key": base64.StdEncoding.EncodeToString([]byte("x"))})
	if code != 200 {
		c.t.Fatalf("etcd: %d, %v", code, answer)
	}
	revision := answer["header"].(object)["revision"]
	if answer, code = c.send("POST", c.etcdURL+"/v3/kv/compaction", "application/json", object{"revision": revision, "physical": true}); code != 200 {
		c.t.Fatalf("etcd: %d, %v", code, answer)
	}
}

// asked returns goodgate's requests for EndpointSlices in the API server's log. One in
// flight may be missing.
func (c *cluster) asked(verb string) (uris []string) {
	c.t.Helper()
	text, err := os.ReadFile(c.file("audit.log"))
	if err != nil {
		c.t.Fatal(err)
	}
	stage := map[string]string{"list": "ResponseComplete", "watch": "ResponseStarted"}[verb]
	for line := range strings.Lines(string(text)) {
		var e struct{ Stage, Verb, RequestURI, UserAgent string }
		if err := json.Unmarshal([]byte(line), &e); err == nil && e.Stage == stage && e.UserAgent == "goodgate" && e.Verb == verb {
			uris = append(uris, e.RequestURI)
		}
	}
	return uris
}

// kubeconfig writes one that takes its token from a file.
func (c *cluster) kubeconfig(tokenFile string) string {
	c.t.Helper()
	return c.write(fmt.Sprintf("kubeconfig-%s.yaml", filepath.Base(tokenFile)), fmt.Sprintf(`
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test, namespace: shop}}]
clusters: [{name: test, cluster: {server: %q, certificate-authority: certs/apiserver.crt}}]
users: [{name: test, user: {tokenFile: %q}}]
`, c.url, tokenFile))
}

// asAdmin is the kubeconfig of an administrator.
func (c *cluster) asAdmin() string {
	c.t.Helper()
	return c.kubeconfig(c.write("admin.token", adminToken))
}
