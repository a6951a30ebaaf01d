package registry

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKubeconfig reads kubeconfigs in kubectl's form, and those with unsupported
// features.
func TestKubeconfig(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "config")
	read := func(context, user, cluster string) (Cluster, error) {
		t.Helper()
		text := `{apiVersion: v1, kind: Config, current-context: prod, preferences: {},
  contexts: [{name: prod, context: {cluster: c, user: u, namespace: shop}}, {name: bare, context: {cluster: c, user: u}}, {name: lost, context: {cluster: x}}],
  clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443/k8s/", ` + cluster + `}}],
  users: [{name: v, user: {token: other}}, {name: u, user: {` + user + `}}]}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Kubeconfig(file, context)
	}
	c, err := read("", "token: "+secret+", tokenFile: token", "insecure-skip-tls-verify: true, tls-server-name: api")
	if a := c.Access; err != nil || c.Namespace != "shop" || a.Token != secret || a.TokenFile != filepath.Join(folder, "token") ||
		a.Address != "https://10.0.0.1:6443/k8s/" || !a.TLS.InsecureSkipVerify || a.TLS.ServerName != "api" {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err = read("bare", "", ""); err != nil || c.Namespace != "default" {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, m := range []struct{ context, user, cluster, want string }{
		{"none", "", "", `no context "none"`},
		{"lost", "", "", `no cluster "x"`},
		{"", "exec: {command: aws}", "", "running a program (exec)"},
		{"", "auth-provider: {name: oidc}", "", "auth-provider"},
		{"", "username: a, password: " + secret, "", "password"},
		{"", "as: root", "", "acts as another"},
		{"", "", `proxy-url: "http://a"`, "proxy-url"},
		{"", "", "certificate-authority: ca.pem", "no such file"},
		{"", "", "certificate-authority-data: '" + secret + "!'", "not base64"},
		{"", "", "certificate-authority-data: aGVsbG8=", "no PEM certificate"},
		{"", "client-certificate-data: aGVsbG8=", "", "client-certificate with client-key"},
		{"", "client-key: key.pem", "", "client-key"},
		{"", "token: [" + secret + "]", "", "no kubeconfig"},
	} {
		_, err := read(m.context, m.user, m.cluster)
		if err == nil || !strings.Contains(err.Error(), m.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v: got %v", m, err)
		}
	}
}

// TestInCluster finds the API as a Pod does, by TLS.
func TestInCluster(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	s := httptest.NewTLSServer(a)
	defer s.Close()
	host, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	folder := t.TempDir()
	for name, text := range map[string]string{"token": secret, "namespace": "shop\n",
		"ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
	k := NewKubernetes(KubernetesOptions{Service: "web", Wait: 1e9, Connect: func() (Cluster, error) {
		return InCluster(func(name string) string { return env[name] }, folder)
	}})
	defer k.Close()
	wantAsk(t, k, true, "10.0.0.1:80")
	if _, err := InCluster(func(string) string { return "" }, folder); err == nil || !strings.Contains(err.Error(), "set kubeconfig") {
		t.Errorf("outside of a cluster: got %v", err)
	}
	if _, err := InCluster(func(name string) string { return env[name] }, t.TempDir()); err == nil || !strings.Contains(err.Error(), "automountServiceAccountToken") {
		t.Errorf("without a service account: got %v", err)
	}
}

// TestKubeconfigOverTLS uses an API whose authority is in the kubeconfig, below a path.
func TestKubeconfigOverTLS(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	s := httptest.NewTLSServer(http.StripPrefix("/k8s", a))
	defer s.Close()
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "config")
	text := "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}]\nclusters: [{name: c, cluster: {server: \"" +
		s.URL + "/k8s/\", certificate-authority-data: " + ca + "}}]\nusers: [{name: u, user: {token: " + secret + "}}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k := NewKubernetes(KubernetesOptions{Service: "web", Wait: 1e9, Connect: func() (Cluster, error) { return Kubeconfig(file, "") }})
	defer k.Close()
	wantAsk(t, k, true, "10.0.0.1:80")
}
