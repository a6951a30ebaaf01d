package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// A variable with an identity field has the value that access control has verified, or
// none. It never has the client's: a route may pass it on under another name.
func TestVariablesHaveVerifiedIdentities(t *testing.T) {
	t.Parallel()
	edits := proxy.HeaderEdits{Set: map[string]string{"X-Webauth-User": "{header:Remote-User}"}}
	text, err := proxy.NewText("{header:Remote-User}")
	if err != nil {
		t.Fatal(err)
	}
	seen := func(into *string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			*into = strings.Join(r.Header["Remote-User"], ",") + "|" + strings.Join(r.Header["X-Webauth-User"], ",")
		}
	}
	for _, front := range fronts {
		for say, want := range map[string]string{"alice": "alice|alice", "": "|"} {
			var service, app, log string
			asked(t, front, proxy.ForwardAuth{Path: "/", Copy: []string{"Remote-User"}, Headers: edits}, func(rw http.ResponseWriter, r *http.Request) {
				seen(&service)(rw, r)
				if say != "" {
					rw.Header().Set("Remote-User", say)
				}
			}, func(w *world) {
				w.app("app:81", seen(&app))
				r := w.request("GET", "/", nil)
				r.Header["Remote-User"] = []string{"root"}
				check(t, front+": status", w.do(r).status, 200)
				w.record()
				check(t, front+": the service is told", service, "|")
				check(t, front+": the application is told", app, want)
				check(t, front+": the log", log, say)
			}, func(s *setup) {
				s.upstreams, s.route.RequestHeaders = specs("app:81"), edits
				s.proxy.Observe = []func(*proxy.Record){func(rec *proxy.Record) { log = text.Of(rec) }}
			})
		}
		var app string
		w := start(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{
			RequestHeaders: edits, Access: proxy.Access{Basic: &proxy.BasicAuth{Users: userFile(t, "bob"), UserHeader: "Remote-User", Hide: true}},
		}})
		w.app("app:80", seen(&app))
		r := w.request("GET", "/", nil)
		r.SetBasicAuth("bob", "bob")
		r.Header["Remote-User"] = []string{"root"}
		check(t, front+": status", w.do(r).status, 200)
		check(t, front+": the application is told the user", app, "bob|bob")
	}
}

// An Authorization of the service replaces the client's, which the service has read.
func TestCredentialsOfTheService(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		var service string
		asked(t, front, proxy.ForwardAuth{Path: "/", Copy: []string{"Authorization"}}, func(rw http.ResponseWriter, r *http.Request) {
			service = r.Header.Get("Authorization")
			rw.Header().Set("Authorization", "Bearer inner")
		}, func(w *world) {
			r := w.request("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer outer")
			got := w.do(r)
			check(t, front+": the service reads", service, "Bearer outer")
			check(t, front+": the application reads", strings.Join(got.header["Seen-Authorization"], ","), "Bearer inner")
			check(t, front+": a variable has", strings.Join(got.header["Seen-X-User"], ","), "Bearer inner")
		}, func(s *setup) {
			s.route.RequestHeaders = proxy.HeaderEdits{Set: map[string]string{"X-User": "{header:Authorization}"}}
		})
	}
}
