package kube_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// issuer of the tokens of service accounts.
const issuer = "https://kubernetes.default.svc"

const (
	accountPath = "/api/v1/namespaces/shop/serviceaccounts/gate"
	rolePath    = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/gate"
	bindingPath = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings/gate"
)

// allow gives the service account the permissions that the documentation asks for.
func (c *cluster) allow() {
	c.t.Helper()
	c.apply(rolePath, object{"rules": []object{{"apiGroups": []string{"discovery.k8s.io"}, "resources": []string{"endpointslices"}, "verbs": []string{"list", "watch"}}}})
	c.apply(bindingPath, object{"roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gate"},
		"subjects": []object{{"kind": "ServiceAccount", "name": "gate", "namespace": "shop"}}})
}

// request asks the API server for a token.
func (c *cluster) request() string {
	c.t.Helper()
	answer := c.must("POST", accountPath+"/token", "application/json", object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
		"spec": object{"expirationSeconds": 600}})
	return answer["status"].(object)["token"].(string)
}

// leeway is how long the API server takes a token after its end.
const leeway = time.Minute

// sign makes a token that is refused soon: the shortest that may be requested is good for 10
// minutes.
func (c *cluster) sign(uid string, last time.Duration) string {
	c.t.Helper()
	part := func(o object) string {
		text, err := json.Marshal(o)
		if err != nil {
			c.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	now := time.Now()
	text := part(object{"alg": "ES256"}) + "." + part(object{"iss": issuer, "aud": []string{issuer}, "sub": "system:serviceaccount:shop:gate",
		"iat": now.Add(-time.Hour).Unix(), "nbf": now.Add(-time.Hour).Unix(), "exp": now.Add(last - leeway).Unix(),
		"kubernetes.io": object{"namespace": "shop", "serviceaccount": object{"name": "gate", "uid": uid}}})
	hash := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, c.key, hash[:])
	if err != nil {
		c.t.Fatal(err)
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(raw)
}

// TestInPod runs as in a Pod, with the files and variables of Kubernetes.
func TestInPod(t *testing.T) {
	c := startCluster(t)
	c.service("web", headless)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready))
	c.apply(accountPath, object{})
	c.allow()
	c.write("token", c.request())
	c.write("namespace", "shop")
	_, port, _ := strings.Cut(strings.TrimPrefix(c.url, "https://"), ":")
	pod := exec.Command("unshare", "--mount", "sh", "-ec", `
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
cp token namespace /run/secrets/kubernetes.io/serviceaccount
cp certs/apiserver.crt /run/secrets/kubernetes.io/serviceaccount/ca.crt
"$0" discover "kubernetes: web" "kubernetes: {service: web, namespace: default}"`, built.goodgate)
	pod.Dir = c.dir
	pod.Env = append(os.Environ(), "KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT="+port)
	out, _ := pod.CombinedOutput()
	t.Logf("%s", out)
	for _, want := range []string{"http://10.77.0.1:8080", "in the namespace default"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("want %q", want)
		}
	}
	if code := pod.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d, want 3: the Role is for one namespace", code)
	}
}

// TestCredentials has the Role missing, granted, revoked and granted again, and the
// token expire and be renewed, under load.
func TestCredentials(t *testing.T) {
	c := startCluster(t)
	one, two := startPod(t, 1), startPod(t, 2)
	c.service("web", headless)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready))
	uid := c.apply(accountPath, object{})["metadata"].(object)["uid"].(string)
	kubeconfig := c.kubeconfig(c.write("gate.token", c.sign(uid, 20*time.Second)))
	source := fmt.Sprintf("kubernetes: {service: web, kubeconfig: %q, wait: 10s}", kubeconfig)
	const forbidden = "403 Forbidden: endpointslices.discovery.k8s.io is forbidden: User \"system:serviceaccount:shop:gate\" cannot list resource"
	const need = "goodgate needs a Role with the verbs list and watch of endpointslices (discovery.k8s.io) in the namespace shop"

	out, code := discover(t, source)
	t.Logf("%s", out)
	if code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	g := startGate(t, "{"+source+"}")
	g.wantError(forbidden)
	g.wantError(need)
	c.allow()
	g.want("1 serving a")
	g.wantWorks()
	l := startLoad(g)
	l.until(one)

	g.wantError("401 Unauthorized")
	g.wantError("the token or the client certificate is not accepted")
	l.until(one)
	c.write("gate.token", c.request())
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready), endpoint(2, "b", ready))
	g.want("1 serving a, 2 serving b")
	g.wantWorks()
	l.until(two)

	c.delete(bindingPath)
	g.wantError(need)
	l.until(one)
	c.slice("web-a", "web", httpPort, endpoint(2, "b", ready))
	c.allow()
	g.want("2 serving b")
	g.wantWorks()

	// A token that is renewed in time is no failure.
	failures := g.pool().Sources[0].Failures
	watches := len(c.asked("watch"))
	c.write("gate.token", c.request())
	waitFor(t, "more watches", func() bool { return len(c.asked("watch")) > watches+1 })
	if n := g.pool().Sources[0].Failures - failures; n > 0 {
		t.Errorf("%d failures after the token was renewed, want none", n)
	}
	l.finish()

	// Without the right to read Services the reason is less exact.
	c.slice("web-a", "web", httpPort)
	g.want("")
	out, _ = discover(t, "kubernetes: {service: other, kubeconfig: "+kubeconfig+"}")
	t.Logf("%s", out)
}
