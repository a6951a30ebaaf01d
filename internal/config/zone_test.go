package config

import (
	"strings"
	"testing"
)

func TestZone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`eu-1a`:                       "",
		`"${ZONE:-}"`:                 "",
		`{file: /run/zone}`:           "",
		`{name: a, file: /run/zone}`:  "excludes name",
		`{name: a b}`:                 "a zone has at most",
		`{name: a, load: 90%}`:        "must be from 100% to 1000%",
		`{name: a, min_upstreams: 0}`: "must be from 1 to 10000",
		`{name: a, peers: [{zone: b, count: 1}, {zone: c, count: 0}]}`: "",
		`{name: a, peers: [{zone: b, count: 1}, {zone: b, count: 2}]}`: "listed twice",
		`{name: a, peers: [{zone: b}]}`:                                "count is missing",
	} {
		c, _, err := Parse("a.yaml", []byte("listeners: [\":1\"]\nzone: "+text+"\npools: {app: {upstreams: [\"http://a:1\"]}}"), func(string) (string, bool) { return "", false })
		if want == "" && (err != nil || c.Zone.Load != 1.2 || c.Zone.MinUpstreams != 6) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %+v, %v, want %q", text, c, err, want)
		}
	}
}
