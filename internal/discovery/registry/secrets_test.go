package registry

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// TestErrorsContainNoSecrets: a program that repeats its input in its answers does not
// reveal the secrets.
func TestErrorsContainNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t<&>"
	var as func(text string) string
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var login struct{ Password string }
		json.Unmarshal(body, &login)
		var text strings.Builder
		text.WriteString("no: ")
		for _, v := range []string{r.Header.Get("X-Key"), r.Header.Get("Authorization"), r.Header.Get("X-Consul-Token"), r.Header.Get("X-Nomad-Token"), r.URL.Query().Get("key"), login.Password} {
			text.WriteString(strings.TrimPrefix(v, "Bearer ") + " " + v + " ")
		}
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, as(text.String()))
	}))
	defer echo.Close()
	list, err := NewHTTP(HTTPOptions{URL: echo.URL + "/?key=s3cr3t%3C%26%3E", Access: Access{Header: map[string]string{"X-Key": secret}, TokenHeader: "Authorization", TokenPrefix: "Bearer ", Token: secret}})
	if err != nil {
		t.Fatal(err)
	}
	a := Access{Address: echo.URL, Token: secret}
	askers := map[string]discovery.Asker{
		"http":   list,
		"consul": NewConsul(ConsulOptions{Access: a, Service: "web"}),
		"nomad":  NewNomad(NomadOptions{Access: a, Service: "web"}),
		"etcd":   NewEtcd(EtcdOptions{Endpoints: []string{echo.URL}, Prefix: "/", Username: "root", Password: secret, Timeout: time.Minute}),
	}
	for form, f := range map[string]func(string) string{
		"text": func(text string) string { return text },
		"JSON": func(text string) string {
			b, _ := json.Marshal(map[string]string{"message": text})
			return string(b)
		},
	} {
		as = f
		for name, asker := range askers {
			_, err := asker.Ask(t.Context(), true)
			if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "no: ") {
				t.Errorf("%s, %s: got the error %v", name, form, err)
			}
		}
	}
}
