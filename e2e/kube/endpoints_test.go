package kube_test

import (
	"fmt"
	"strings"
	"testing"
)

// endpoint is one at 10.77.0.number, in a zone.
func endpoint(number int, zone string, conditions object) object {
	return object{"addresses": []string{fmt.Sprintf("10.77.0.%d", number)}, "zone": zone, "conditions": conditions,
		"targetRef": object{"kind": "Pod", "namespace": "shop", "name": fmt.Sprintf("web-%d", number), "uid": fmt.Sprintf("uid-%d", number)}}
}

func hinted(e object, zone string) object {
	e["hints"] = object{"forZones": []object{{"name": zone}}}
	return e
}

var (
	ready    = object{"ready": true, "serving": true, "terminating": false}
	notReady = object{"ready": false, "serving": false, "terminating": false}
	ending   = object{"ready": false, "serving": true, "terminating": true}
	ended    = object{"ready": false, "serving": false, "terminating": true}
)

// TestEndpoints takes a Service through what happens to one, under load.
func TestEndpoints(t *testing.T) {
	c := startCluster(t)
	one, two, three := startPod(t, 1), startPod(t, 2), startPod(t, 3)
	c.service("web", headless)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready))
	c.slice("other", "other", httpPort, endpoint(9, "a", ready))
	g := startGate(t, fmt.Sprintf("{kubernetes: {service: web, kubeconfig: %q, wait: 10s}}", c.asAdmin()))
	g.want("1 serving a")
	l := startLoad(g)
	l.until(one)

	// A second slice, with a Pod that becomes ready.
	c.slice("web-b", "web", httpPort, endpoint(2, "b", notReady))
	g.want("1 serving a, 2 not_ready b")
	l.without(two)
	c.slice("web-b", "web", httpPort, endpoint(2, "b", ready))
	g.want("1 serving a, 2 serving b")
	l.until(two)

	// A rolling update: 3 comes, 1 ends while it answers, and goes.
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready), endpoint(3, "a", ready))
	g.want("1 serving a, 2 serving b, 3 serving a")
	l.until(three)
	slow := g.begin(one)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ending), endpoint(3, "a", ready))
	g.want("1 terminating a, 2 serving b, 3 serving a")
	l.without(one)
	c.slice("web-a", "web", httpPort, endpoint(3, "a", ready))
	g.want("2 serving b, 3 serving a")
	close(one.word)
	if err := <-slow; err != nil {
		t.Errorf("a request that had begun: %v", err)
	}

	// Hints count when all that serve have them.
	c.slice("web-a", "web", httpPort, hinted(endpoint(3, "a", ready), "b"))
	g.want("2 serving b, 3 serving a")
	c.slice("web-b", "web", httpPort, hinted(endpoint(2, "b", ready), "c"))
	g.want("2 serving c, 3 serving b")

	// An address moves from one slice to the other.
	c.slice("web-b", "web", httpPort, endpoint(2, "b", ready), endpoint(3, "a", ready))
	c.slice("web-a", "web", httpPort)
	g.want("2 serving b, 3 serving a")
	c.delete(slicesPath + "web-a")

	// All end: those that still serve are used.
	c.slice("web-b", "web", httpPort, endpoint(2, "b", ending), endpoint(3, "a", ended))
	g.want("2 serving b, 3 terminating a")
	l.without(three)
	l.until(two)
	l.finish()

	// A removed upstream counts as present if it is still there 5 s later.
	c.delete(slicesPath + "web-b")
	g.wantError("the answer has no upstreams any more")
	g.want("")
	if s := g.pool().Sources[0]; len(s.LeftOut) != 1 || s.LeftOut[0].Why != "the Service has no EndpointSlices: does its selector match Pods?" {
		t.Errorf("left out %+v", s.LeftOut)
	}
	if lists := len(c.asked("list")); lists != 2 {
		t.Errorf("the API server was asked for %d lists, want one at the start and one when the set was empty", lists)
	}
}

// TestDiscover queries Services of all kinds once, like an operator.
func TestDiscover(t *testing.T) {
	c := startCluster(t)
	kubeconfig := c.asAdmin()
	several := []object{{"name": "http", "port": 8080}, {"name": "metrics", "port": 9090}, {"name": "udp", "port": 53, "protocol": "UDP"}}
	c.service("several", headless)
	c.slice("several-1", "several", several, endpoint(1, "a", ready))
	c.slice("several-2", "several", []object{{"name": "http", "port": 8081}}, endpoint(2, "b", object{}))
	c.service("virtual", object{"ports": []object{{"name": "http", "port": 80, "targetPort": 8080}}})
	c.slice("virtual-1", "virtual", []object{{"name": "http", "port": 8080, "appProtocol": "https"}}, endpoint(1, "", ready))
	c.service("portless", object{"clusterIP": "None"})
	c.slice("portless-1", "portless", nil, endpoint(1, "", ready))
	c.service("named", object{"type": "ExternalName", "externalName": "db.example.com"})
	c.service("empty", headless)
	c.service("both", headless)
	c.slice("both-4", "both", httpPort, endpoint(1, "a", ready))
	six := endpoint(1, "a", ready)
	six["addresses"] = []string{"fd77::1"}
	c.slice("both-6", "both", httpPort, six)
	c.apply(slicesPath+"fqdn", object{"metadata": object{"labels": object{"kubernetes.io/service-name": "fqdn"}}, "addressType": "FQDN",
		"ports": httpPort, "endpoints": []object{{"addresses": []string{"db.example.com"}}}})
	for _, tc := range []struct {
		keys string
		want []string
		code int
	}{
		{"service: several, port: http", []string{"http://10.77.0.1:8080", "zone a", "http://10.77.0.2:8081", "zone b", "pod=web-1"}, 0},
		{"service: several, port: metrics", []string{"http://10.77.0.1:9090", `several-2`, `it has no port "metrics"; it has http 8081`}, 0},
		{"service: several, port: \"8081\"", []string{"http://10.77.0.2:8081"}, 0},
		{"service: several", []string{"it has several ports, and no port says which: http 8080, metrics 9090", "http://10.77.0.2:8081"}, 0},
		{"service: several, port: udp", []string{`it has no port "udp"`}, 0},
		{"service: virtual", []string{"https://10.77.0.1:8080"}, 0},
		{"service: portless", []string{"it has no ports: set port to the number that the application listens on"}, 0},
		{"service: portless, port: \"8080\"", []string{"http://10.77.0.1:8080"}, 0},
		{"service: named", []string{"of type ExternalName", "http://db.example.com"}, 3},
		{"service: empty", []string{"the Service has no EndpointSlices"}, 0},
		{"service: nobody", []string{"there is no such Service"}, 0},
		{"service: both", []string{"http://10.77.0.1:8080"}, 0},
		{"service: fqdn", []string{"its addresses are neither IPv4 nor IPv6"}, 0},
		{"service: web, namespace: none", []string{"there is no such Service"}, 0},
	} {
		t.Run(tc.keys, func(t *testing.T) {
			out, code := discover(t, fmt.Sprintf("kubernetes: {%s, kubeconfig: %q}", tc.keys, kubeconfig))
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("want %q", want)
				}
			}
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			t.Logf("%s", out)
		})
	}
}
