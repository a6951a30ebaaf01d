package deploy

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestEndpoints: a whole deploy through the API, and the refusals.
func TestEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		mux := http.NewServeMux()
		for _, e := range b.engine.Endpoints(func(*http.Request) string { return "ci" }) {
			mux.HandleFunc(e.Pattern, e.Handler)
		}
		ask := func(method, path, body string, status int, says string) (v View) {
			t.Helper()
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			text := w.Body.String()
			if w.Code != status || !strings.Contains(text, says) {
				t.Errorf("%s %s %s: %d %s, want %d with %q", method, path, body, w.Code, text, status, says)
			}
			json.Unmarshal([]byte(text), &v) // not of each answer
			return v
		}
		ask("GET", "/v1/deploys", "", 200, "[]")
		ask("GET", "/v1/deploys/app", "", 404, "there is no such deploy")
		ask("POST", "/v1/deploys", `{"pool": "app", "two": []}`, 400, "two")
		ask("POST", "/v1/deploys", `{"pool": "app"`, 400, "the body is not valid")
		ask("POST", "/v1/deploys", `{"pool": "other", "to": ["http://new:1"]}`, 404, `there is no pool \"other\". The only pool is app`)
		ask("POST", "/v1/deploys", `{"pool": "app", "to": ["http://new:1"], "dry_run": true}`, 200, `"stage": "adding"`)
		v := ask("POST", "/v1/deploys", `{"pool": "app", "to": ["http://new:1"], "why": "build 42", "step_time": "1m"}`, 201, "build 42")
		check(t, "by", v.By, "ci")
		check(t, "step time", v.Settings.StepTime, "1m0s")
		ask("POST", "/v1/deploys", `{"pool": "app", "to": ["http://new:2"]}`, 409, "is in progress")
		time.Sleep(time.Second)
		v = ask("GET", "/v1/deploys/app", "", 200, "shifting")
		n := len(v.Events)
		v = ask("GET", "/v1/deploys/app?after=2", "", 200, "shifting")
		check(t, "events after the second", len(v.Events), n-2)
		ask("GET", "/v1/deploys/app?after=x", "", 400, "is not a number")
		ask("POST", "/v1/deploys/app/promote", "", 200, "app")
		time.Sleep(time.Second)
		ask("GET", "/v1/deploys/app", "", 200, `"stage": "watching"`)
		ask("POST", "/v1/deploys/app/back", "", 200, "app")
		time.Sleep(time.Second)
		ask("GET", "/v1/deploys", "", 200, `"stage": "back"`)
		ask("POST", "/v1/deploys/app/back", "", 404, "has ended")
		ask("POST", "/v1/deploys/other/promote", "", 404, `there is no pool \"other\"`)
	})
}
