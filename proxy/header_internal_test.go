package proxy

import (
	"net/http"
	"reflect"
	"testing"
)

func TestMoveHeader(t *testing.T) {
	shared := []string{"a", "behind"} // as those of a response that is kept may be
	for _, tc := range []struct {
		name           string
		to, from, want http.Header
	}{
		{"plain", http.Header{}, http.Header{"X-A": {"1", "2"}, "Content-Type": {"text/plain"}}, http.Header{"X-A": {"1", "2"}, "Content-Type": {"text/plain"}}},
		{"there already", http.Header{"X-A": {"0"}}, http.Header{"X-A": {"1"}}, http.Header{"X-A": {"0", "1"}}},
		{"stream", http.Header{}, http.Header{"Content-Type": {"text/event-stream"}, "X-A": {"1"}}, http.Header{"Content-Type": {"text/event-stream"}, "X-A": {"1"}}},
		{"part of a longer list", http.Header{}, http.Header{"X-A": shared[:1]}, http.Header{"X-A": {"a"}}},
	} {
		res := &http.Response{Header: tc.from}
		moveHeader(tc.to, res)
		if !reflect.DeepEqual(tc.to, tc.want) || len(res.Header) != 0 {
			t.Errorf("%s: got %v and %v left, want %v and none", tc.name, tc.to, res.Header, tc.want)
		}
		tc.to.Add("X-A", "new")
	}
	if shared[1] != "behind" {
		t.Errorf("a field was added behind another's values: %v", shared)
	}
}
