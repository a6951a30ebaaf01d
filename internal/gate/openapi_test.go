package gate

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/goodgate/goodgate/internal/metrics"
)

// TestOpenAPI: a gate that serves answers as its description says.
func TestOpenAPI(t *testing.T) {
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer good.Close()
	sock := filepath.Join(t.TempDir(), "s")
	g := start(t, parse(t, "listeners: [\"127.0.0.1:0\"]\nadmin: unix:"+sock+"\nshutdown: {lame_duck: 0s}\nfleet: {addresses: \"127.0.0.1:1\", secret: \"a secret of the test\"}\npools: {app: {upstreams: ["+good.URL+", \"http://127.0.0.1:1\"], health: {type: none}, policy: round_robin}}"),
		Options{Metrics: metrics.New(metrics.Build{})})
	for range 4 {
		get(t, "http://"+g.addrs[0])
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(OpenAPI()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("api.json", doc); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for path := range doc.(map[string]any)["paths"].(map[string]any) {
		if strings.Contains(path, "{") || strings.HasPrefix(path, "/debug/") {
			continue
		}
		schema, err := c.Compile("api.json#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/get/responses/200/content/application~1json/schema")
		if err != nil {
			continue // not a GET, or the answer is not JSON
		}
		answer, status := askAdmin(t, sock, "", "GET", path)
		if status != http.StatusOK {
			t.Errorf("%s: answered %d %s", path, status, answer)
		}
		seen++
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if seen < 7 {
		t.Errorf("only %d answers were looked at", seen)
	}
}
