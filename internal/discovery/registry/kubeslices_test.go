package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/discovery"
)

// mergeOf makes targets of slices in JSON, which are named 1, 2 and so on.
func mergeOf(t *testing.T, o KubernetesOptions, objects ...string) discovery.Found {
	t.Helper()
	all := map[string]*slice{}
	for i, text := range objects {
		var s sliceObject
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		s.Metadata.Name = fmt.Sprint(i + 1)
		if err := put(all, &s); err != nil {
			t.Fatal(err)
		}
	}
	return merge(all, &o)
}

func v4(endpoints string) string {
	return `{"addressType":"IPv4","ports":[{"name":"http","port":80,"protocol":"TCP"}],"endpoints":[` + endpoints + `]}`
}

func v6(endpoints string) string {
	return `{"addressType":"IPv6","ports":[{"name":"http","port":80,"protocol":"TCP"}],"endpoints":[` + endpoints + `]}`
}

// TestSliceConditions has every combination of conditions, together with a ready
// endpoint and alone.
func TestSliceConditions(t *testing.T) {
	t.Parallel()
	const drains, alone = "10.0.0.1:80(terminating)", "10.0.0.1:80"
	for conditions, want := range map[string][2]string{
		`{}`:                                {alone, alone},
		`{"ready":null,"serving":null}`:     {alone, alone},
		`{"ready":true}`:                    {alone, alone},
		`{"ready":false}`:                   {"10.0.0.1:80(not_ready)", "10.0.0.1:80(not_ready)"},
		`{"ready":false,"serving":false}`:   {"10.0.0.1:80(not_ready)", "10.0.0.1:80(not_ready)"},
		`{"ready":true,"terminating":null}`: {alone, alone},
		`{"ready":false,"serving":true,"terminating":true}`:  {drains, alone},
		`{"ready":false,"serving":false,"terminating":true}`: {drains, drains},
		`{"ready":false,"terminating":true}`:                 {drains, drains},
		`{"terminating":true}`:                               {drains, alone},
		`{"ready":true,"serving":true,"terminating":true}`:   {drains, alone},
	} {
		e := `{"addresses":["10.0.0.1"],"conditions":` + conditions + `}`
		if got := addrs(mergeOf(t, KubernetesOptions{}, v4(e+`,{"addresses":["10.0.0.2"]}`))); got != want[0]+" 10.0.0.2:80" {
			t.Errorf("%s beside another: got %q, want %q", conditions, got, want[0])
		}
		if got := addrs(mergeOf(t, KubernetesOptions{}, v4(e))); got != want[1] {
			t.Errorf("%s alone: got %q, want %q", conditions, got, want[1])
		}
	}
}

// TestSliceDuplicates has an address in two slices: the better state counts, in either order.
func TestSliceDuplicates(t *testing.T) {
	t.Parallel()
	ready, gone := `{"addresses":["10.0.0.1"]}`, `{"addresses":["10.0.0.1"],"conditions":{"ready":false,"serving":true,"terminating":true}}`
	other := `,{"addresses":["10.0.0.2"]}`
	for _, order := range [][]string{{v4(ready + other), v4(gone)}, {v4(gone), v4(ready + other)}, {v4(ready + other), v4(ready)}} {
		if got := addrs(mergeOf(t, KubernetesOptions{}, order...)); got != "10.0.0.1:80 10.0.0.2:80" {
			t.Errorf("got %q", got)
		}
	}
}

// TestSliceFamilies has Pods with two addresses.
func TestSliceFamilies(t *testing.T) {
	t.Parallel()
	pod := func(n int, address, more string) string {
		return fmt.Sprintf(`{"addresses":[%q],"targetRef":{"kind":"Pod","name":"web-%d","uid":"u%d"}%s}`, address, n, n, more)
	}
	const drains = `,"conditions":{"ready":false,"serving":true,"terminating":true}`
	four, six := v4(pod(1, "10.0.0.1", "")+","+pod(2, "10.0.0.2", "")), v6(pod(1, "2001:db8::1", "")+","+pod(3, "2001:db8::3", ""))
	for name, c := range map[string]struct {
		family, want string
		slices       []string
	}{
		"both":     {"", "10.0.0.1:80+[2001:db8::1]:80 10.0.0.2:80 [2001:db8::3]:80", []string{four, six}},
		"ipv4":     {"ip4", "10.0.0.1:80 10.0.0.2:80", []string{four, six}},
		"ipv6":     {"ip6", "[2001:db8::1]:80 [2001:db8::3]:80", []string{four, six}},
		"draining": {"", "10.0.0.1:80+[2001:db8::1]:80(terminating) 10.0.0.2:80", []string{four, v6(pod(1, "2001:db8::1", drains))}},
		"no pods":  {"", "10.0.0.1:80 [2001:db8::1]:80", []string{v4(`{"addresses":["10.0.0.1"]}`), v6(`{"addresses":["2001:db8::1"]}`)}},
		"names":    {"", "10.0.0.1:80", []string{v4(`{"addresses":["10.0.0.1"]}`), `{"addressType":"FQDN","ports":[{"port":80}],"endpoints":[{"addresses":["a.example"]}]}`}},
	} {
		if got := addrs(mergeOf(t, KubernetesOptions{Family: c.family}, c.slices...)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestSlicePorts finds ports by name and number.
func TestSlicePorts(t *testing.T) {
	t.Parallel()
	f := func(ports, want, got string) {
		t.Helper()
		found := mergeOf(t, KubernetesOptions{Port: want}, `{"addressType":"IPv4","ports":`+ports+`,"endpoints":[{"addresses":["10.0.0.1"]}]}`)
		text := addrs(found)
		if len(found.LeftOut) > 0 {
			text += found.LeftOut[0].Why
		}
		if text != got {
			t.Errorf("port %q of %s: got %q, want %q", want, ports, text, got)
		}
	}
	const two = `[{"name":"http","port":3000},{"name":"metrics","port":9100},{"name":"dns","port":53,"protocol":"UDP"}]`
	f(two, "http", "10.0.0.1:3000")
	f(two, "9100", "10.0.0.1:9100")
	f(two, "", "it has several ports, and no port says which: http 3000, metrics 9100")
	f(two, "dns", `it has no port "dns"; it has http 3000, metrics 9100`)
	f(two, "80", `it has no port "80"; it has http 3000, metrics 9100`)
	f(`[{"name":"","port":80}]`, "", "10.0.0.1:80")
	f(`[{"name":null,"port":80},{"name":"dns","port":53,"protocol":"UDP"}]`, "", "10.0.0.1:80")
	f(`[{"port":53,"protocol":"UDP"}]`, "", "it has no TCP port")
	f(`null`, "", "it has no ports: set port to the number that the application listens on")
	f(`null`, "8080", "10.0.0.1:8080") // a headless Service without ports
	f(`[{"name":"any","port":null}]`, "8080", "10.0.0.1:8080")
	f(`[{"name":"any","port":null}]`, "", "it has no port")
	f(`[{"name":"https","port":8443,"appProtocol":"https"}]`, "https", "10.0.0.1:8443")
	found := mergeOf(t, KubernetesOptions{}, `{"addressType":"IPv4","ports":[{"port":8443,"appProtocol":"https"}],"endpoints":[{"addresses":["10.0.0.1"]}]}`)
	if !found.Targets[0].TLS {
		t.Error("appProtocol https: got no TLS")
	}
}

// TestSliceZones has zones and topology hints.
func TestSliceZones(t *testing.T) {
	t.Parallel()
	e := func(n int, zone, hints string) string {
		return fmt.Sprintf(`{"addresses":["10.0.0.%d"],"zone":%q,"nodeName":"n%d","hints":%s}`, n, zone, n, hints)
	}
	for name, c := range map[string]struct{ endpoints, want string }{
		"no hints":        {e(1, "a", "null") + "," + e(2, "b", "null"), "a b"},
		"hints":           {e(1, "a", `{"forZones":[{"name":"a"}]}`) + "," + e(2, "a", `{"forZones":[{"name":"b"}]}`), "a b"},
		"one without":     {e(1, "a", `{"forZones":[{"name":"b"}]}`) + "," + e(2, "a", `null`), "a a"},
		"several":         {e(1, "a", `{"forZones":[{"name":"b"},{"name":"a"}]}`), "a"},
		"several, others": {e(1, "a", `{"forZones":[{"name":"b"},{"name":"c"}]}`), "b"},
		"no zone":         {e(1, "", "null"), "own"},
		"bad zone":        {e(1, "a b\n", "null"), "own"},
		"nobody ready":    {`{"addresses":["10.0.0.1"],"zone":"a","conditions":{"ready":false}}`, "a"},
	} {
		found := mergeOf(t, KubernetesOptions{Base: discovery.Target{Zone: "own"}}, v4(c.endpoints))
		var got []string
		for _, target := range found.Targets {
			got = append(got, target.Zone)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestSliceBadEndpoints leaves out what no connection can be made to.
func TestSliceBadEndpoints(t *testing.T) {
	t.Parallel()
	found := mergeOf(t, KubernetesOptions{}, v4(`{"addresses":[]},{"addresses":["none"]},{"addresses":["0.0.0.0"]},{"addresses":["224.0.0.1"]},{},`+
		`{"addresses":["10.0.0.9"],"nodeName":"n1","targetRef":{"kind":"Pod","name":"web-9"}}`))
	if got := addrs(found); got != "10.0.0.9:80" || len(found.LeftOut) != 5 {
		t.Errorf("got %q, left out %+v", got, found.LeftOut)
	}
	if got, want := found.Targets[0].Metadata, discovery.Metadata("node=n1\npod=web-9\nslice=1\n"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzSlices reads anything as a slice: targets have addresses, each once, and the order of
// slices does not matter.
func FuzzSlices(f *testing.F) {
	f.Add(v4(`{"addresses":["10.0.0.1"]}`), v6(`{"addresses":["::1"],"targetRef":{"uid":"a"}}`), "")
	f.Add(v4(`{"addresses":["10.0.0.1"],"hints":{"forZones":[{}]}}`), v4(`{"conditions":{"terminating":true}}`), "http")
	f.Fuzz(func(t *testing.T, one, two, port string) {
		all, turned := map[string]*slice{}, map[string]*slice{}
		for i, text := range []string{one, two} {
			var o sliceObject
			if json.Unmarshal([]byte(text), &o) != nil {
				return
			}
			all[fmt.Sprint(i)], turned[fmt.Sprint(1-i)] = o.slice(), o.slice()
		}
		found := merge(all, &KubernetesOptions{Port: port})
		seen := map[string]bool{}
		for _, target := range found.Targets {
			if target.Addr == "" || seen[target.Addr] {
				t.Errorf("got %+v", found.Targets)
			}
			seen[target.Addr] = true
		}
		if n := len(merge(turned, &KubernetesOptions{Port: port}).Targets); n != len(found.Targets) {
			t.Errorf("got %d targets, in the other order %d", len(found.Targets), n)
		}
	})
}
