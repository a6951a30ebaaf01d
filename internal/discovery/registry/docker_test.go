package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// engine is a Docker Engine as far as its API's documentation says how it behaves.
type engine struct {
	mu         sync.Mutex
	containers map[string]string // by ID, as inspected; in "state" its status
	events     chan string
	end        chan struct{} // of the stream of events
	asked      []string
}

func newEngine(t *testing.T) (*engine, string) {
	e := &engine{containers: map[string]string{}, events: make(chan string, 10), end: make(chan struct{}, 1)}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return e, s.URL
}

func (e *engine) set(id, inspected string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.containers[id] = inspected; inspected == "" {
		delete(e.containers, id)
	}
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked = append(e.asked, r.URL.String())
	e.mu.Unlock()
	switch id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/containers/"), "/json"); {
	case r.URL.Path == "/events":
		w.(http.Flusher).Flush()
		for {
			select {
			case text := <-e.events:
				fmt.Fprintln(w, text)
				w.(http.Flusher).Flush()
			case <-e.end:
				return
			case <-r.Context().Done():
				return
			}
		}
	case r.URL.Path == "/containers/json":
		e.mu.Lock()
		defer e.mu.Unlock()
		list := []map[string]string{}
		for id := range e.containers {
			list = append(list, map[string]string{"Id": id})
		}
		json.NewEncoder(w).Encode(list)
	default:
		e.mu.Lock()
		defer e.mu.Unlock()
		text, ok := e.containers[id]
		if !ok || text == "gone" {
			http.Error(w, `{"message": "No such container"}`, 404)
			return
		}
		fmt.Fprint(w, text)
	}
}

// inspected is the answer about a container, with the parts that differ.
func inspected(id, state, labels, ports, networks string) string {
	return fmt.Sprintf(`{"Id": %q, "Name": "/c-%s", "State": {%s}, "HostConfig": {"NetworkMode": "front"},
	  "Config": {"Image": "app:1", "Labels": {%s}, "ExposedPorts": {%s}}, "NetworkSettings": {"Networks": {%s}, "Ports": {"3000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "53/udp": null}}}`,
		id, id, state, labels, ports, networks)
}

const (
	runs  = `"Status": "running"`
	port  = `"3000/tcp": {}`
	front = `"front": {"IPAddress": "172.18.0.2"}`
)

// TestContainers looks at one container in each of its states.
func TestContainers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		o    DockerOptions
		want string // target, or why there is none
	}{
		"plain":              {text: inspected("a", runs, "", port, front), want: "172.18.0.2:3000 serving"},
		"no health check":    {text: inspected("a", runs+`, "Health": {"Status": "none"}`, "", port, front), want: "172.18.0.2:3000 serving"},
		"healthy":            {text: inspected("a", runs+`, "Health": {"Status": "healthy"}`, "", port, front), want: "172.18.0.2:3000 serving"},
		"starts":             {text: inspected("a", runs+`, "Health": {"Status": "starting"}`, "", port, front), want: "172.18.0.2:3000 not_ready"},
		"unhealthy":          {text: inspected("a", runs+`, "Health": {"Status": "unhealthy"}`, "", port, front), want: "172.18.0.2:3000 not_ready"},
		"paused":             {text: inspected("a", `"Status": "paused"`, "", port, front), want: "172.18.0.2:3000 not_ready"},
		"removed":            {text: inspected("a", `"Status": "removing"`, "", port, front), want: "172.18.0.2:3000 terminating"},
		"exited":             {text: inspected("a", `"Status": "exited"`, "", port, front), want: "it does not run: it is exited"},
		"labels":             {text: inspected("a", runs, `"goodgate.port": "81", "goodgate.weight": "7", "goodgate.zone": "z", "goodgate.scheme": "https"`, port, front), want: "172.18.0.2:81 serving tls 7 z"},
		"wrong label":        {text: inspected("a", runs, `"goodgate.port": "x"`, port, front), want: `its label goodgate.port is "x": expected a whole number from 1 to 65535`},
		"no port":            {text: strings.Replace(inspected("a", runs, "", "", front), "3000/tcp", "3000/udp", 1), want: "it exposes no TCP port: set port, or its label goodgate.port"},
		"two ports":          {text: inspected("a", runs, "", port+`, "80/tcp": {}`, front), want: "it exposes several TCP ports (3000, 80): set port, or its label goodgate.port"},
		"two ports, one set": {text: inspected("a", runs, "", port+`, "80/tcp": {}`, front), o: DockerOptions{Port: 80}, want: "172.18.0.2:80 serving"},
		"two networks":       {text: inspected("a", runs, "", port, front+`, "back": {"IPAddress": "172.19.0.2"}`), want: "it is in several networks (back, front): set network, or its label goodgate.network"},
		"one of two":         {text: inspected("a", runs, "", port, front+`, "back": {"IPAddress": "172.19.0.2"}`), o: DockerOptions{Network: "back"}, want: "172.19.0.2:3000 serving"},
		"another network":    {text: inspected("a", runs, "", port, front), o: DockerOptions{Network: "x"}, want: "it is not in network x, but in front"},
		"no address":         {text: inspected("a", runs, "", port, `"none": {"IPAddress": ""}`), want: "it has no address of its own: publish its port, and set reach: published"},
		"IPv6":               {text: inspected("a", runs, "", port, `"front": {"IPAddress": "", "GlobalIPv6Address": "2001:db8::2"}`), want: "[2001:db8::2]:3000 serving"},
		"published":          {text: inspected("a", runs, "", port, front), o: DockerOptions{Published: true}, want: "127.0.0.1:32768 serving"},
		"not published":      {text: inspected("a", runs, `"goodgate.port": "81"`, port, front), o: DockerOptions{Published: true}, want: "its port 81 is not published on the host"},
		"the host's network": {text: strings.Replace(inspected("a", runs, "", port, `"host": {}`), `"NetworkMode": "front"`, `"NetworkMode": "host"`, 1), want: "127.0.0.1:3000 serving"},
		"gone meanwhile":     {text: "gone", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, url := newEngine(t)
			e.set("a", tc.text)
			tc.o.Access.Address, tc.o.Label = url, "app=web"
			d := NewDocker(tc.o)
			defer d.Close()
			found, err := d.Ask(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, l := range found.LeftOut {
				got = l.Why
			}
			for _, target := range found.Targets {
				if got = target.Addr + " " + target.Lifecycle.String(); target.TLS {
					got += fmt.Sprint(" tls ", target.Weight, " ", target.Zone)
				}
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if want := "/events?filters=%7B%22label%22%3A%5B%22app%3Dweb%22%5D%2C%22type%22%3A%5B%22container%22%5D%7D"; e.asked[0] != want {
				t.Errorf("asked %s first, want %s", e.asked[0], want)
			}
		})
	}
}

// TestContainerStops sends signals to a container. A signal that ends it drains it
// until it is gone; another one does not.
func TestContainerStops(t *testing.T) {
	t.Parallel()
	e, url := newEngine(t)
	e.set("a", inspected("a", runs, "", port, front))
	d := NewDocker(DockerOptions{Access: Access{Address: url}, Label: "app", Wait: time.Minute})
	defer d.Close()
	ask := func(event string, want ...discovery.Lifecycle) {
		t.Helper()
		if event != "" {
			e.events <- event
		}
		found, err := d.Ask(t.Context(), event == "")
		if err != nil {
			t.Fatal(err)
		}
		var got []discovery.Lifecycle
		for _, target := range found.Targets {
			got = append(got, target.Lifecycle)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", event, got, want)
		}
	}
	signal := func(s string) string {
		return `{"Type": "container", "Action": "kill", "Actor": {"ID": "a", "Attributes": {"signal": "` + s + `"}}}`
	}
	other := `{"Type": "container", "Action": "rename", "Actor": {"ID": "b"}}`
	ask("", discovery.Serving)
	e.events <- signal("1") // makes it read its configuration again
	e.events <- `{"Type": "container", "Action": "exec_start: sh", "Actor": {"ID": "a"}}`
	ask(other, discovery.Serving)
	ask(signal("15"), discovery.Terminating)
	e.end <- struct{}{}
	if _, err := d.Ask(t.Context(), false); err == nil {
		t.Error("the end of the stream of events is no error")
	}
	ask("", discovery.Terminating) // it is remembered
	e.set("a", "")
	ask(`{"Type": "container", "Action": "die", "Actor": {"ID": "a"}}`)
	e.set("a", inspected("a", runs, "", port, front))
	ask(`{"Type": "container", "Action": "start", "Actor": {"ID": "a"}}`, discovery.Serving)
}

// TestStopEnds has a container continue after a signal to end.
func TestStopEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &dockerEvents{stopping: map[string]time.Time{}}
		var v event
		v.Action, v.Actor.ID, v.Actor.Attributes = "kill", "a", map[string]string{"signal": "SIGTERM"}
		if e.note(v); !e.stops("a") {
			t.Error("it does not stop")
		}
		time.Sleep(stopFor + time.Second)
		if e.stops("a") {
			t.Error("it stops for ever")
		}
	})
}
