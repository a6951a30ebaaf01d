package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// KubernetesOptions select a Service of Kubernetes.
type KubernetesOptions struct {
	// Connect returns the access to the API. It is called for each fresh query, so that
	// changed files are read again.
	Connect   func() (Cluster, error)
	Service   string
	Namespace string // "" = the cluster's
	Port      string // name or number; "" = the only one
	Family    string // ip4 or ip6: addresses of this family only; "" = both
	Base      discovery.Target
	Wait      time.Duration // duration of a watch
}

// Cluster is the API server of a cluster.
type Cluster struct {
	Access    Access
	Namespace string // the default
}

const (
	// pageSize is the number of slices in an answer. A slice has at most 1,000 endpoints.
	pageSize = 250
	// maxSlices and maxEndpoints bound a service.
	maxSlices, maxEndpoints = 1000, 2 * 10_000
	// settle is the time for collecting successive changes: an update of a Deployment
	// changes a slice many times a second.
	settle     = 100 * time.Millisecond
	watchSlack = 10 * time.Second
)

// Kubernetes queries the API server for the EndpointSlices of a Service, and watches
// them. A watch continues where the previous one has ended. It lists again only if the
// API server has forgotten that version.
type Kubernetes struct {
	*client
	options   KubernetesOptions
	namespace string
	slices    map[string]*slice // by name; nil = a list is needed
	version   string            // resourceVersion of the slices
	watch     *kubeWatch        // nil = none
	slack     time.Duration     // time for the API server to end an expired watch
}

// NewKubernetes returns a source for the endpoints of a Service.
func NewKubernetes(o KubernetesOptions) *Kubernetes {
	return &Kubernetes{options: o, slack: watchSlack}
}

// Hold returns the longest time of an answer, in addition to the timeout of a query.
func (k *Kubernetes) Hold() time.Duration { return k.options.Wait + k.slack + settle }

// Close closes its connections, and ends its goroutine.
func (k *Kubernetes) Close() error {
	k.watch.close()
	k.watch = nil
	if k.client == nil {
		return nil
	}
	return k.client.Close()
}

// Ask waits for a change, unless fresh. It lists the slices if fresh, and if the watch
// cannot continue.
func (k *Kubernetes) Ask(ctx context.Context, fresh bool) (discovery.Found, error) {
	if fresh || k.client == nil {
		if err := k.connect(); err != nil {
			return discovery.Found{}, err
		}
	}
	if k.slices != nil {
		changed, err := k.follow(ctx)
		switch {
		case isGone(err):
			k.forget()
		case err != nil:
			k.forget()
			return discovery.Found{}, err
		case !changed:
			return discovery.Found{Unchanged: true}, nil
		default:
			return k.found(), nil
		}
	}
	if err := k.list(ctx); err != nil {
		return discovery.Found{}, k.explain(err)
	}
	if len(k.slices) == 0 {
		return k.withoutSlices(ctx)
	}
	return k.found(), nil
}

// connect starts again, with the present files.
func (k *Kubernetes) connect() error {
	k.forget()
	c, err := k.options.Connect()
	if err != nil {
		return err
	}
	if k.client != nil {
		k.client.Close()
	}
	c.Access.TokenHeader, c.Access.TokenPrefix = "Authorization", "Bearer "
	k.client = newClient(c.Access)
	k.client.transport.ResponseHeaderTimeout = k.slack // an answer begins at once, also that of a watch
	if k.namespace = k.options.Namespace; k.namespace == "" {
		k.namespace = c.Namespace
	}
	return nil
}

// forget ends the watch. The next answer is a list.
func (k *Kubernetes) forget() {
	k.watch.close()
	k.watch, k.slices, k.version = nil, nil, ""
}

func (k *Kubernetes) path() string {
	return "/apis/discovery.k8s.io/v1/namespaces/" + url.PathEscape(k.namespace) + "/endpointslices"
}

func (k *Kubernetes) query(more ...string) url.Values {
	return set(url.Values{"labelSelector": {"kubernetes.io/service-name=" + k.options.Service}}, more...)
}

// list reads all slices, page by page. If the API server has forgotten the position in
// the list, it starts again, once.
func (k *Kubernetes) list(ctx context.Context) error {
	k.slices, k.version = nil, ""
	all, next := map[string]*slice{}, ""
	for pages, again := 0, true; ; pages++ {
		body, _, err := k.ask(ctx, request{method: http.MethodGet, path: k.path(), query: k.query("limit", strconv.Itoa(pageSize), "continue", next)})
		if isGone(err) && next != "" && again {
			again, next, all = false, "", map[string]*slice{}
			continue
		}
		if err != nil {
			return err
		}
		var page struct {
			Metadata *struct{ ResourceVersion, Continue string }
			Items    []*sliceObject
		}
		if err := decode(body, &page); err != nil {
			return err
		}
		if page.Metadata == nil || page.Metadata.ResourceVersion == "" {
			return errors.New("the answer is not what was asked for: expected a list of EndpointSlices with a resourceVersion")
		}
		for _, o := range page.Items {
			if err := put(all, o); err != nil {
				return err
			}
		}
		if pages > maxSlices {
			return fmt.Errorf("the list does not end within %d pages", maxSlices)
		}
		if next = page.Metadata.Continue; next == "" {
			k.slices, k.version = all, page.Metadata.ResourceVersion
			return nil
		}
	}
}

// put adds a slice, within limits.
func put(all map[string]*slice, o *sliceObject) error {
	if o == nil || o.Metadata.Name == "" {
		return errors.New("the answer is not what was asked for: an EndpointSlice has no name")
	}
	all[o.Metadata.Name] = o.slice()
	if len(all) > maxSlices {
		return fmt.Errorf("more than the limit of %d EndpointSlices", maxSlices)
	}
	n := 0
	for _, s := range all {
		n += len(s.endpoints)
	}
	if n > maxEndpoints {
		return fmt.Errorf("%d endpoints, more than the limit of %d", n, maxEndpoints)
	}
	return nil
}

// found returns the targets in the slices.
func (k *Kubernetes) found() discovery.Found { return merge(k.slices, &k.options) }

// withoutSlices determines why there are no slices, from the Service if it may be read.
func (k *Kubernetes) withoutSlices(ctx context.Context) (discovery.Found, error) {
	none := discovery.Found{Targets: []discovery.Target{}}
	body, _, err := k.ask(ctx, request{method: http.MethodGet,
		path: "/api/v1/namespaces/" + url.PathEscape(k.namespace) + "/services/" + url.PathEscape(k.options.Service)})
	name := k.namespace + "/" + k.options.Service
	if r, ok := errors.AsType[*refused](err); ok && r.status == http.StatusNotFound {
		none.LeftOut = []discovery.LeftOut{{What: name, Why: "there is no such Service"}}
		return none, nil
	}
	var service struct {
		Spec struct{ Type, ExternalName string }
	}
	if err != nil || decode(body, &service) != nil {
		none.LeftOut = []discovery.LeftOut{{What: name, Why: "it has no EndpointSlices"}}
		return none, ctx.Err()
	}
	if service.Spec.Type == "ExternalName" {
		return discovery.Found{}, fmt.Errorf("the Service %s is of type ExternalName, which has no endpoints: write its name as an upstream (http://%s)",
			name, service.Spec.ExternalName)
	}
	none.LeftOut = []discovery.LeftOut{{What: name, Why: "the Service has no EndpointSlices: does its selector match Pods?"}}
	return none, nil
}

// explain adds the remedy to a refusal.
func (k *Kubernetes) explain(err error) error {
	r, ok := errors.AsType[*refused](err)
	if !ok {
		return err
	}
	switch r.status {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: the token or the client certificate is not accepted", err)
	case http.StatusForbidden:
		return fmt.Errorf("%w: goodgate needs a Role with the verbs list and watch of endpointslices (discovery.k8s.io) in the namespace %s", err, k.namespace)
	}
	return err
}

// isGone reports whether the API server has forgotten a resourceVersion.
func isGone(err error) bool {
	r, ok := errors.AsType[*refused](err)
	return ok && r.status == http.StatusGone
}
