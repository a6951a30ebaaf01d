package discovery

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestMetadata(t *testing.T) {
	got := NewMetadata(map[string]string{"b": "2\n3", "a": "x=y", "": "no", "k=v": "no", "new\nline": "no", strings.Repeat("k", 64): "no", "long": strings.Repeat("ü", 100)})
	want := map[string]string{"a": "x=y", "b": `2\n3`, "long": strings.Repeat("ü", 64)}
	if m := got.Map(); !maps.Equal(m, want) {
		t.Errorf("got %v, want %v", m, want)
	}
	many := map[string]string{}
	for i := range 100 {
		many[fmt.Sprint("k", 100+i)] = ""
	}
	m := NewMetadata(many).Map()
	if _, first := m["k100"]; len(m) != maxMetaKeys || !first {
		t.Errorf("of 100 keys got %v", m)
	}
	if NewMetadata(nil).Map() != nil || NewMetadata(nil) != "" {
		t.Error("nothing is not nothing")
	}
}

func TestParseFileMore(t *testing.T) {
	got, err := parseFile([]byte(`[{"url": "http://10.0.0.1", "zone": "eu-1a", "lifecycle": "terminating", "metadata": {"version": 2, "team": "shop"}}]`), Target{})
	want := Target{Addr: "10.0.0.1:80", Zone: "eu-1a", Lifecycle: Terminating, Metadata: "team=shop\nversion=2\n"}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for data, word := range map[string]string{
		"- {url: 'http://a', zone: 'a b'}":        "zone",
		"- {url: 'http://a', zone: [a]}":          "zone",
		"- {url: 'http://a', lifecycle: gone}":    "not_ready",
		"- {url: 'http://a', metadata: [a]}":      "mapping",
		"- {url: 'http://a', metadata: {a: [b]}}": "mapping",
	} {
		if _, err := parseFile([]byte(data), Target{}); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v, want %q in it", data, err, word)
		}
	}
}
