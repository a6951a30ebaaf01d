package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// DockerOptions select containers.
type DockerOptions struct {
	Access    Access
	Label     string // NAME or NAME=VALUE
	Port      int    // port of the application in the container; 0 = the only exposed one
	Network   string // network of the address; "" = the only one
	Published bool   // use the port published on the host
	Base      discovery.Target
	Wait      time.Duration // longest time without an event before all containers are queried again
}

const (
	// maxContainers bounds the containers with the label.
	maxContainers = 1000
	// unversioned paths use the newest version of the other program. Programs reject a
	// path with a version that they no longer support.
	listPath, eventsPath = "/containers/json", "/events"
)

// Docker queries Docker, or Podman, which has the same API, for the containers with a
// label. It listens to events, and queries again after each of them.
type Docker struct {
	*client
	options DockerOptions
	host    string // host of published ports
	podman  bool   // according to its last answer; it sends no event when a container begins to stop
	events  *dockerEvents
}

// NewDocker returns a source for containers.
func NewDocker(o DockerOptions) *Docker {
	d := &Docker{client: newClient(o.Access), options: o, host: "127.0.0.1"}
	if u, err := url.Parse(o.Access.Address); err == nil && u.Hostname() != "" {
		d.host = u.Hostname()
	}
	return d
}

// Close closes its connections, and ends its goroutine.
func (d *Docker) Close() error {
	d.events.close()
	d.events = nil
	return d.client.Close()
}

// Ask waits for an event, unless fresh, and queries the containers. It listens before
// it queries, so that no change in between is missed.
func (d *Docker) Ask(ctx context.Context, fresh bool) (discovery.Found, error) {
	if fresh || d.events == nil {
		stopping := d.events.close()
		d.events = nil
		var err error
		if d.events, err = d.listen(ctx, stopping); err != nil {
			return discovery.Found{}, err
		}
	} else if err := d.events.wait(ctx, d.patience()); err != nil {
		return discovery.Found{}, err
	}
	filters, err := json.Marshal(map[string][]string{"label": {d.options.Label}})
	if err != nil {
		return discovery.Found{}, err
	}
	body, header, err := d.ask(ctx, request{method: http.MethodGet, path: listPath, query: url.Values{"all": {"true"}, "filters": {string(filters)}}})
	if err != nil {
		return discovery.Found{}, err
	}
	d.podman = strings.HasPrefix(header.Get("Server"), "Libpod/")
	var list []struct{ ID string }
	if err := decode(body, &list); err != nil {
		return discovery.Found{}, err
	}
	if list == nil {
		return discovery.Found{}, errNoList
	}
	if len(list) > maxContainers {
		return discovery.Found{}, fmt.Errorf("%d containers have the label, more than the limit of %d", len(list), maxContainers)
	}
	found := discovery.Found{Targets: []discovery.Target{}}
	for _, c := range list {
		if err := d.inspect(ctx, &found, c.ID); err != nil {
			return discovery.Found{}, err
		}
	}
	return found, nil
}

// podmanLook is the interval of queries to Podman, regardless of events.
const podmanLook = time.Second

// patience returns the longest time without an event before all containers are queried
// again.
func (d *Docker) patience() time.Duration {
	if d.podman {
		return min(podmanLook, d.options.Wait)
	}
	return d.options.Wait
}

// container is the relevant part of a container.
type container struct {
	ID, Name string
	State    struct {
		Status string
		Health *struct{ Status string }
	}
	Config struct {
		Image        string
		Labels       map[string]string
		ExposedPorts map[string]struct{}
	}
	HostConfig      struct{ NetworkMode string }
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
		Ports    map[string][]struct{ HostIP, HostPort string }
	}
}

// inspect adds a container, or the reason for leaving it out. It ignores one that is
// gone meanwhile.
func (d *Docker) inspect(ctx context.Context, found *discovery.Found, id string) error {
	body, _, err := d.ask(ctx, request{method: http.MethodGet, path: "/containers/" + url.PathEscape(id) + "/json"})
	if r, ok := err.(*refused); ok && r.status == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	var c container
	if err := decode(body, &c); err != nil {
		return err
	}
	t, why := d.target(&c)
	if why != "" {
		found.LeftOut = append(found.LeftOut, discovery.LeftOut{What: c.name(), Why: why})
		return nil
	}
	found.Targets = append(found.Targets, t)
	return nil
}

func (c *container) name() string { return strings.TrimPrefix(c.Name, "/") }

// lifecycle returns the meaning of a container's state; gone means that it is no
// candidate.
func (d *Docker) lifecycle(c *container) (l discovery.Lifecycle, why string) {
	switch status := c.State.Status; status {
	case "running":
	case "paused", "restarting":
		return discovery.NotReady, ""
	case "stopping", "removing":
		return discovery.Terminating, ""
	default:
		return 0, "it does not run: it is " + status
	}
	if d.events.stops(c.ID) {
		return discovery.Terminating, ""
	}
	if h := c.State.Health; h != nil && (h.Status == "starting" || h.Status == "unhealthy") {
		return discovery.NotReady, ""
	}
	return discovery.Serving, ""
}

// target returns the target for a container, or the reason for leaving it out.
func (d *Docker) target(c *container) (t discovery.Target, why string) {
	l, why := d.lifecycle(c)
	if why != "" {
		return t, why
	}
	base := d.options.Base
	labels, why := applyLabels(&base, c.Config.Labels)
	if why != "" {
		return t, why
	}
	port := labels.port
	if port == 0 {
		port = d.options.Port
	}
	if port == 0 {
		if port, why = c.onlyPort(); why != "" {
			return t, why
		}
	}
	host := ""
	switch {
	case c.HostConfig.NetworkMode == "host":
		host = d.host
	case d.options.Published:
		host, port, why = d.published(c, port)
	default:
		host, why = c.address(firstOf(labels.network, d.options.Network))
	}
	if why != "" {
		return t, why
	}
	if t, why = at(base, host, port); why != "" {
		return t, why
	}
	t.Lifecycle = l
	meta := map[string]string{"container": c.name(), "id": c.ID[:min(12, len(c.ID))], "image": c.Config.Image}
	if c.State.Health != nil {
		meta["health"] = c.State.Health.Status
	}
	t.Metadata = metadata(meta)
	return t, ""
}

// onlyPort returns the TCP port that a container exposes, if there is exactly one.
func (c *container) onlyPort() (port int, why string) {
	var ports []string
	for p := range c.Config.ExposedPorts {
		if number, ok := strings.CutSuffix(p, "/tcp"); ok {
			ports = append(ports, number)
		}
	}
	for p := range c.NetworkSettings.Ports {
		if number, ok := strings.CutSuffix(p, "/tcp"); ok && !slices.Contains(ports, number) {
			ports = append(ports, number)
		}
	}
	slices.Sort(ports)
	switch len(ports) {
	case 0:
		return 0, "it exposes no TCP port: set port, or its label goodgate.port"
	case 1:
		return number(ports[0]), ""
	}
	return 0, "it exposes several TCP ports (" + strings.Join(ports, ", ") + "): set port, or its label goodgate.port"
}

// address returns a container's own address.
func (c *container) address(network string) (host, why string) {
	var names []string
	for name, n := range c.NetworkSettings.Networks {
		if firstOf(n.IPAddress, n.GlobalIPv6Address) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if network == "" && len(names) == 1 {
		network = names[0]
	}
	n := c.NetworkSettings.Networks[network]
	switch host = firstOf(n.IPAddress, n.GlobalIPv6Address); {
	case host != "":
		return host, ""
	case len(names) == 0:
		return "", "it has no address of its own: publish its port, and set reach: published"
	case network == "":
		return "", "it is in several networks (" + strings.Join(names, ", ") + "): set network, or its label goodgate.network"
	}
	return "", "it is not in network " + network + ", but in " + strings.Join(names, ", ")
}

// published returns the host and port at which a container's port is published.
func (d *Docker) published(c *container, port int) (host string, hostPort int, why string) {
	at := c.NetworkSettings.Ports[fmt.Sprintf("%d/tcp", port)]
	if len(at) == 0 {
		return "", 0, fmt.Sprintf("its port %d is not published on the host", port)
	}
	if ip := net.ParseIP(at[0].HostIP); ip == nil || ip.IsUnspecified() {
		return d.host, number(at[0].HostPort), ""
	}
	return at[0].HostIP, number(at[0].HostPort), ""
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
