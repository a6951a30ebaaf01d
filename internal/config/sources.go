package config

import (
	"cmp"
	"errors"
	"strings"
)

// HTTPSource is a list of upstreams from an HTTP server.
type HTTPSource struct {
	URL       string   `yaml:"url" opt:"shorthand,required" format:"listurl" example:"http://127.0.0.1:9000/upstreams" help:"URL of the list."`
	Headers   Headers  `yaml:"headers" format:"header" example:"{X-Team: shop}" help:"More headers for each request."`
	Token     Secret   `yaml:"token" default:"" format:"headervalue" example:"\"${INVENTORY_TOKEN}\"" help:"Token to send as Authorization: Bearer."`
	TokenFile string   `yaml:"token_file" default:"" opt:"file" example:"/run/secrets/token" help:"File with the token, read for each request."`
	Interval  Duration `yaml:"interval" default:"10s" min:"1s" max:"1h" help:"Time from an answer to the next request."`
	Wait      Duration `yaml:"wait" default:"0s" min:"1s" max:"10m" zero:"not used" help:"How long the server may hold a request until the list changes (Prefer: wait, RFC 7240)."`
	Timeout   Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"Longest time for one answer, in addition to wait."`
	TLS       TLS      `yaml:"tls" examples:"server_name=inventory.example.com" help:"TLS with an https server."`
}

// DockerSource selects the containers of a Docker or Podman by a label.
type DockerSource struct {
	Label   string   `yaml:"label" opt:"shorthand,required,public" example:"com.docker.compose.service=web" help:"Label that the containers have: NAME or NAME=VALUE."`
	Address string   `yaml:"address" default:"unix:/var/run/docker.sock" format:"url" help:"The API: unix:/path.sock, http://host:port or https://host:port; for Podman, unix:/run/podman/podman.sock."`
	Port    int      `yaml:"port" default:"0" min:"1" max:"65535" zero:"the only one that the container exposes" help:"Port of the application in the container. The container's label goodgate.port takes precedence."`
	Network string   `yaml:"network" default:"" opt:"public" example:"backend" help:"Network with the container's address; empty means its only network. The label goodgate.network takes precedence."`
	Reach   string   `yaml:"reach" default:"container" enum:"container|published" help:"Connect to the container's own address, or to the port published on the host."`
	Timeout Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"Longest time for one answer."`
	TLS     TLS      `yaml:"tls" examples:"server_name=docker.example.com" help:"TLS with an https API."`
}

// ConsulSource selects the instances of a service in Consul.
type ConsulSource struct {
	Service    string   `yaml:"service" opt:"shorthand,required,public" example:"web" help:"Name of the service."`
	Address    string   `yaml:"address" default:"http://127.0.0.1:8500" format:"url" help:"The agent: http://host:port, https://host:port or unix:/path.sock."`
	Tags       []string `yaml:"tags" default:"[]" opt:"single,public" example:"[production]" help:"Tags; an instance must have all of them."`
	Datacenter string   `yaml:"datacenter" default:"" opt:"public" example:"eu-west" help:"Data centre of the instances; empty means the agent's."`
	Namespace  string   `yaml:"namespace" default:"" opt:"public" example:"shop" help:"Namespace of Consul Enterprise."`
	Partition  string   `yaml:"partition" default:"" opt:"public" example:"shop" help:"Admin partition of Consul Enterprise."`
	Token      Secret   `yaml:"token" default:"" format:"headervalue" example:"\"${CONSUL_TOKEN}\"" help:"ACL token."`
	TokenFile  string   `yaml:"token_file" default:"" opt:"file" example:"/run/secrets/token" help:"File with the token, read for each request."`
	Wait       Duration `yaml:"wait" default:"30s" min:"1s" max:"10m" help:"How long the agent may hold a request until something changes."`
	Timeout    Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"Longest time for one answer, in addition to wait."`
	TLS        TLS      `yaml:"tls" examples:"server_name=consul.example.com" help:"TLS with an https agent."`
}

// NomadSource selects the instances of a service that Nomad itself registers.
type NomadSource struct {
	Service   string   `yaml:"service" opt:"shorthand,required,public" example:"web" help:"Name of the service."`
	Address   string   `yaml:"address" default:"http://127.0.0.1:4646" format:"url" help:"The agent: http://host:port, https://host:port or unix:/path.sock."`
	Tags      []string `yaml:"tags" default:"[]" opt:"single,public" example:"[production]" help:"Tags; an instance must have all of them."`
	Namespace string   `yaml:"namespace" default:"" opt:"public" example:"shop" help:"Namespace of the job; empty means default."`
	Region    string   `yaml:"region" default:"" opt:"public" example:"eu" help:"Region of the job; empty means the agent's."`
	Token     Secret   `yaml:"token" default:"" format:"headervalue" example:"\"${NOMAD_TOKEN}\"" help:"ACL token."`
	TokenFile string   `yaml:"token_file" default:"" opt:"file" example:"/run/secrets/token" help:"File with the token, read for each request."`
	Wait      Duration `yaml:"wait" default:"30s" min:"1s" max:"10m" help:"How long the agent may hold a request until something changes."`
	Timeout   Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"Longest time for one answer, in addition to wait."`
	TLS       TLS      `yaml:"tls" examples:"server_name=nomad.example.com" help:"TLS with an https agent."`
}

// EtcdSource selects the keys under a prefix in etcd; each contains an upstream.
type EtcdSource struct {
	Prefix       string   `yaml:"prefix" opt:"shorthand,required,public" example:"/services/web/" help:"Prefix of the keys. Each value is a URL, or a JSON object as in a list of upstreams."`
	Endpoints    []string `yaml:"endpoints" default:"[http://127.0.0.1:2379]" opt:"single" format:"url" help:"Members of the cluster; goodgate tries the next when one does not answer."`
	Username     string   `yaml:"username" default:"" opt:"public" example:"goodgate" help:"User, if etcd requires one."`
	Password     Secret   `yaml:"password" default:"" example:"\"${ETCD_PASSWORD}\"" help:"The user's password."`
	PasswordFile string   `yaml:"password_file" default:"" opt:"file" example:"/run/secrets/etcd-password" help:"File with the password, read at each login."`
	Wait         Duration `yaml:"wait" default:"30s" min:"1s" max:"10m" help:"Duration of a watch; then goodgate reads the keys again."`
	Timeout      Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"Longest time for one answer, in addition to wait."`
	TLS          TLS      `yaml:"tls" examples:"server_name=etcd.example.com" help:"TLS with https members."`
}

// KubernetesSource selects the endpoints of a Service, from its EndpointSlices.
type KubernetesSource struct {
	Service    string   `yaml:"service" opt:"shorthand,required,public" format:"kubename" example:"web" help:"Name of the Service, headless or not."`
	Namespace  string   `yaml:"namespace" default:"" format:"kubename" help:"Namespace of the Service; empty means that of goodgate's Pod, or of the context."`
	Port       string   `yaml:"port" default:"" format:"kubeport" help:"Port of the endpoints: its name, or the number that the application listens on; empty means the only one."`
	Kubeconfig string   `yaml:"kubeconfig" default:"" opt:"file" example:"/etc/goodgate/kubeconfig" help:"File with the API's address and the credentials; empty uses the service account of goodgate's Pod."`
	Context    string   `yaml:"context" default:"" opt:"public" example:"production" help:"Context of kubeconfig; empty means its current one."`
	Wait       Duration `yaml:"wait" default:"1m" min:"10s" max:"30m" help:"Duration of a watch; it also bounds how long a dead connection goes unnoticed."`
	Timeout    Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" help:"Longest time for one answer."`
}

// Entry parses one entry of a pool's upstreams, and returns a pool with this entry and
// all defaults.
func Entry(text string, env func(string) (string, bool)) (Pool, error) {
	const before = "listeners: [\"127.0.0.1:0\"]\npools:\n  app:\n    upstreams:\n      - "
	c, _, err := Parse("", []byte(before+text+"\n"), env)
	if errs, ok := errors.AsType[Errors](err); ok {
		for i := range errs {
			errs[i].Line, errs[i].Column = 0, 0
			errs[i].Path = strings.TrimPrefix(strings.TrimPrefix(errs[i].Path, "pools.app.upstreams[0]"), ".")
		}
		return Pool{}, errs
	}
	if err != nil {
		return Pool{}, err
	}
	return c.Pools["app"], nil
}

// Source returns the name of the entry's source, without possible secrets. No two entries
// of a pool have the same name.
func (u Upstream) Source() string {
	switch {
	case u.SRV != "":
		return "srv: " + u.SRV
	case u.File != "":
		return "file: " + u.File
	case u.HTTP != nil:
		return "http: " + listTold(u.HTTP.URL)
	case u.Docker != nil:
		return "docker: " + u.Docker.Label + details("at", u.Docker.Address, "network", u.Docker.Network)
	case u.Consul != nil:
		c := u.Consul
		return "consul: " + c.Service + details("at", c.Address, "tags", strings.Join(c.Tags, " "), "datacenter", c.Datacenter, "namespace", c.Namespace, "partition", c.Partition)
	case u.Nomad != nil:
		n := u.Nomad
		return "nomad: " + n.Service + details("at", n.Address, "tags", strings.Join(n.Tags, " "), "namespace", n.Namespace, "region", n.Region)
	case u.Kubernetes != nil:
		k := u.Kubernetes
		return "kubernetes: " + k.Service + details("namespace", k.Namespace, "port", k.Port, "by", k.Kubeconfig, "context", k.Context)
	case u.Etcd != nil:
		return "etcd: " + u.Etcd.Prefix + details("at", strings.Join(u.Etcd.Endpoints, " "))
	}
	return "url: " + withoutQuery(u.URL)
}

// Timeout returns the timeout of one lookup by a source that asks another program; 0 for
// other sources.
func (u Upstream) Timeout() Duration {
	switch {
	case u.HTTP != nil:
		return u.HTTP.Timeout
	case u.Docker != nil:
		return u.Docker.Timeout
	case u.Consul != nil:
		return u.Consul.Timeout
	case u.Nomad != nil:
		return u.Nomad.Timeout
	case u.Kubernetes != nil:
		return u.Kubernetes.Timeout
	case u.Etcd != nil:
		return u.Etcd.Timeout * Duration(max(1, len(u.Etcd.Endpoints)))
	}
	return 0
}

// hasScheme reports whether the source gives upstreams with a scheme.
func (u Upstream) hasScheme() bool {
	r, ok := u.Registry()
	return u.SRV == "" && (!ok || r.givesURLs)
}

// details joins names and values, without those at their defaults.
func details(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		switch pairs[i+1] {
		case "", "unix:/var/run/docker.sock", "http://127.0.0.1:8500", "http://127.0.0.1:4646", "http://127.0.0.1:2379":
			continue
		}
		b.WriteString(" " + pairs[i] + " " + pairs[i+1])
	}
	return b.String()
}

// Registry has the common settings of the sources that ask another program.
type Registry struct {
	Key        string // in the entry
	address    string
	Secret     string // key of its secret; "" = none
	TLS        TLS
	givesURLs  bool // its upstreams come with a scheme
	given      bool // the secret is in the configuration
	SecretFile string
}

// Registry returns that of an entry; ok is false if the entry asks no other program.
func (u Upstream) Registry() (r Registry, ok bool) {
	switch {
	case u.HTTP != nil:
		return Registry{"http", u.HTTP.URL, "token", u.HTTP.TLS, true, u.HTTP.Token != "", u.HTTP.TokenFile}, true
	case u.Docker != nil:
		return Registry{"docker", u.Docker.Address, "", u.Docker.TLS, false, false, ""}, true
	case u.Consul != nil:
		return Registry{"consul", u.Consul.Address, "token", u.Consul.TLS, false, u.Consul.Token != "", u.Consul.TokenFile}, true
	case u.Nomad != nil:
		return Registry{"nomad", u.Nomad.Address, "token", u.Nomad.TLS, false, u.Nomad.Token != "", u.Nomad.TokenFile}, true
	case u.Kubernetes != nil:
		return Registry{Key: "kubernetes"}, true
	case u.Etcd != nil:
		return Registry{"etcd", cmp.Or(u.Etcd.Endpoints...), "password", u.Etcd.TLS, true, u.Etcd.Password != "", u.Etcd.PasswordFile}, true
	}
	return Registry{}, false
}

// registry checks an entry that asks another program.
func (v *validator) registry(at string, u Upstream) {
	r, ok := u.Registry()
	if !ok {
		return
	}
	at = join(at, r.Key)
	if r.given && r.SecretFile != "" {
		v.errorf(join(at, r.Secret+"_file"), "excludes %s: keep one", r.Secret)
	}
	v.clientTLS(join(at, "tls"), r.TLS)
	if t := r.TLS; (t.CA+t.ServerName+t.Cert+t.Key != "" || t.Insecure || len(t.Pins) > 0) && !strings.HasPrefix(r.address, "https:") {
		v.errorf(join(at, "tls"), "needs an https address")
	}
	if u.HTTP != nil && u.HTTP.Headers["Authorization"] != "" && (r.given || r.SecretFile != "") {
		v.errorf(join(at, "headers"), "has Authorization, which token and token_file set: keep one")
	}
	if k := u.Kubernetes; k != nil && k.Context != "" && k.Kubeconfig == "" {
		v.errorf(join(at, "context"), "needs kubeconfig")
	}
	if u.Etcd != nil && (u.Etcd.Username != "") != (r.given || r.SecretFile != "") {
		v.errorf(at, "username and password (or password_file) go together: set both, or neither")
	}
}
