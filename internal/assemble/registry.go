//go:build !minimal

package assemble

import (
	"os"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/discovery/registry"
)

// dockerLook is the time without an event after which all containers are listed again.
const dockerLook = 30 * time.Second

// registrySource returns the source of an entry that asks another program. Targets are
// copies of base with the program's data. dns selects the family of addresses.
func registrySource(u config.Upstream, dns config.DNS, base discovery.Target) (discovery.Source, error) {
	o := discovery.PollOptions{Name: u.Source(), Timeout: u.Timeout()}
	switch {
	case u.HTTP != nil:
		return httpSource(u.HTTP, base, o)
	case u.Docker != nil:
		return dockerSource(u.Docker, base, o)
	case u.Consul != nil:
		return consulSource(u.Consul, base, o)
	case u.Nomad != nil:
		return nomadSource(u.Nomad, base, o)
	}
	if u.Kubernetes != nil {
		return kubernetesSource(u.Kubernetes, base, family(dns), o), nil
	}
	return etcdSource(u.Etcd, base, o)
}

// checkSecret returns the reason that a file with a token or a password is unusable; nil
// if it is usable.
func checkSecret(name string) error { return registry.CheckSecret(name) }

// checkKubeconfig returns the reason that a kubeconfig is unusable; nil if it is usable.
func checkKubeconfig(c *config.KubernetesSource) error {
	_, err := registry.Kubeconfig(c.Kubeconfig, c.Context)
	return err
}

func kubernetesSource(c *config.KubernetesSource, base discovery.Target, family string, o discovery.PollOptions) discovery.Source {
	connect := func() (registry.Cluster, error) { return registry.InCluster(os.Getenv, "") }
	if c.Kubeconfig != "" {
		connect = func() (registry.Cluster, error) { return registry.Kubeconfig(c.Kubeconfig, c.Context) }
	}
	asker := registry.NewKubernetes(registry.KubernetesOptions{
		Connect: connect, Service: c.Service, Namespace: c.Namespace, Port: c.Port, Family: family, Base: base, Wait: c.Wait,
	})
	o.Hold = asker.Hold()
	return discovery.NewPoll(asker, o)
}

// reached returns the access to a program. A token is sent only if there is one.
func reached(address, token, file string, t config.TLS) (registry.Access, error) {
	trust, err := NewTrust(t, nil)
	if err != nil {
		return registry.Access{}, err
	}
	return registry.Access{Address: address, Token: token, TokenFile: file, TLS: trust.Config}, nil
}

func httpSource(c *config.HTTPSource, base discovery.Target, o discovery.PollOptions) (discovery.Source, error) {
	a, err := reached("", string(c.Token), c.TokenFile, c.TLS)
	if err != nil {
		return nil, err
	}
	a.Header, a.TokenHeader, a.TokenPrefix = c.Headers, "Authorization", "Bearer "
	base.TLS = false // its URLs say it
	asker, err := registry.NewHTTP(registry.HTTPOptions{URL: c.URL, Access: a, Base: base, Every: c.Interval, Wait: c.Wait})
	if err != nil {
		return nil, err
	}
	o.Hold, o.Every = c.Wait, c.Interval
	return discovery.NewPoll(asker, o), nil
}

func dockerSource(c *config.DockerSource, base discovery.Target, o discovery.PollOptions) (discovery.Source, error) {
	a, err := reached(c.Address, "", "", c.TLS)
	if err != nil {
		return nil, err
	}
	o.Hold = dockerLook
	return discovery.NewPoll(registry.NewDocker(registry.DockerOptions{
		Access: a, Label: c.Label, Port: c.Port, Network: c.Network, Published: c.Reach == "published", Base: base, Wait: dockerLook,
	}), o), nil
}

func consulSource(c *config.ConsulSource, base discovery.Target, o discovery.PollOptions) (discovery.Source, error) {
	a, err := reached(c.Address, string(c.Token), c.TokenFile, c.TLS)
	if err != nil {
		return nil, err
	}
	asker := registry.NewConsul(registry.ConsulOptions{Access: a, Service: c.Service, Tags: c.Tags,
		Datacenter: c.Datacenter, Namespace: c.Namespace, Partition: c.Partition, Base: base, Wait: c.Wait})
	o.Hold = asker.Hold()
	return discovery.NewPoll(asker, o), nil
}

func nomadSource(c *config.NomadSource, base discovery.Target, o discovery.PollOptions) (discovery.Source, error) {
	a, err := reached(c.Address, string(c.Token), c.TokenFile, c.TLS)
	if err != nil {
		return nil, err
	}
	asker := registry.NewNomad(registry.NomadOptions{Access: a, Service: c.Service, Tags: c.Tags,
		Namespace: c.Namespace, Region: c.Region, Base: base, Wait: c.Wait})
	o.Hold = asker.Hold()
	return discovery.NewPoll(asker, o), nil
}

func etcdSource(c *config.EtcdSource, base discovery.Target, o discovery.PollOptions) (discovery.Source, error) {
	a, err := reached("", "", "", c.TLS)
	if err != nil {
		return nil, err
	}
	base.TLS = false // its URLs say it
	o.Hold = c.Wait
	return discovery.NewPoll(registry.NewEtcd(registry.EtcdOptions{
		Access: a, Endpoints: c.Endpoints, Prefix: c.Prefix, Username: c.Username, Password: string(c.Password), PasswordFile: c.PasswordFile,
		Base: base, Wait: c.Wait, Timeout: c.Timeout,
	}), o), nil
}
