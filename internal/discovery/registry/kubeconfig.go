package registry

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// serviceAccount is where Kubernetes puts a Pod's credentials for the API.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// maxKubeconfig bounds the size of files in bytes.
const maxKubeconfig = 1 << 20

// InCluster returns a Pod's access to the API of its cluster. The address is in the
// environment; folder has the token and the certificate of the authority, "" =
// Kubernetes' default.
func InCluster(env func(string) string, folder string) (Cluster, error) {
	if folder == "" {
		folder = serviceAccount
	}
	host, port := env("KUBERNETES_SERVICE_HOST"), env("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return Cluster{}, errors.New("not in a Kubernetes Pod (KUBERNETES_SERVICE_HOST is not set): outside a cluster, set kubeconfig")
	}
	ca, err := smallFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return Cluster{}, fmt.Errorf("%w: is automountServiceAccountToken off?", err)
	}
	trust, err := trustPEM(ca)
	if err != nil {
		return Cluster{}, err
	}
	c := Cluster{Namespace: "default", Access: Access{
		Address: "https://" + net.JoinHostPort(host, port), TLS: trust, TokenFile: filepath.Join(folder, "token")}}
	if text, err := smallFile(filepath.Join(folder, "namespace")); err == nil && len(strings.TrimSpace(string(text))) > 0 {
		c.Namespace = strings.TrimSpace(string(text))
	}
	return c, nil
}

func trustPEM(ca []byte) (*tls.Config, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the certificate of the authority is no PEM certificate")
	}
	return &tls.Config{RootCAs: pool}, nil
}

func smallFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKubeconfig+1))
	if err == nil && len(text) > maxKubeconfig {
		err = fmt.Errorf("%s has more than the limit of %d bytes", name, maxKubeconfig)
	}
	return text, err
}

// kubeconfig is the relevant part of a kubeconfig file.
type kubeconfig struct {
	CurrentContext string `yaml:"current-context"`
	Contexts       []kubeContext
	Clusters       []struct {
		Name    string
		Cluster kubeCluster
	}
	Users []struct {
		Name string
		User kubeUser
	}
}

type kubeContext struct {
	Name    string
	Context struct{ Cluster, User, Namespace string }
}

type kubeCluster struct {
	Server   string
	CA       string `yaml:"certificate-authority"`
	CAData   string `yaml:"certificate-authority-data"`
	Insecure bool   `yaml:"insecure-skip-tls-verify"`
	Name     string `yaml:"tls-server-name"`
	Proxy    string `yaml:"proxy-url"`
}

type kubeUser struct {
	Token     string
	TokenFile string `yaml:"tokenFile"`
	Cert      string `yaml:"client-certificate"`
	CertData  string `yaml:"client-certificate-data"`
	Key       string `yaml:"client-key"`
	KeyData   string `yaml:"client-key-data"`
	Username  string
	As        string
	Exec      any
	Provider  any `yaml:"auth-provider"`
}

// Kubeconfig returns the access to the cluster of a context in a file; "" = the current
// one. It returns an error for settings that would run a program or impersonate another
// user.
func Kubeconfig(file, context string) (Cluster, error) {
	c, err := readKubeconfig(file, context)
	if err != nil {
		return Cluster{}, fmt.Errorf("kubeconfig %s: %w", file, err)
	}
	return c, nil
}

func readKubeconfig(file, context string) (Cluster, error) {
	text, err := smallFile(file)
	if err != nil {
		return Cluster{}, err
	}
	var k kubeconfig
	if yaml.Unmarshal(text, &k) != nil { // its error may quote a secret
		return Cluster{}, errors.New("is no kubeconfig in YAML or JSON")
	}
	if context == "" {
		context = k.CurrentContext
	}
	i := slices.IndexFunc(k.Contexts, func(c kubeContext) bool { return c.Name == context })
	if i < 0 {
		return Cluster{}, fmt.Errorf("has no context %q: set context", context)
	}
	is := k.Contexts[i].Context
	var cluster *kubeCluster
	for i := range k.Clusters {
		if k.Clusters[i].Name == is.Cluster {
			cluster = &k.Clusters[i].Cluster
		}
	}
	if cluster == nil || cluster.Server == "" {
		return Cluster{}, fmt.Errorf("context %q: there is no cluster %q with a server", context, is.Cluster)
	}
	var user kubeUser
	for i := range k.Users {
		if k.Users[i].Name == is.User {
			user = k.Users[i].User
		}
	}
	folder := filepath.Dir(file)
	a, err := cluster.access(folder)
	if err == nil {
		err = user.identify(&a, folder)
	}
	if err != nil {
		return Cluster{}, fmt.Errorf("context %q: %w", context, err)
	}
	namespace := is.Namespace
	if namespace == "" {
		namespace = "default"
	}
	return Cluster{Access: a, Namespace: namespace}, nil
}

// access returns the address of a cluster's API and the trusted authorities.
func (c *kubeCluster) access(folder string) (Access, error) {
	if c.Proxy != "" {
		return Access{}, errors.New("proxy-url is not supported")
	}
	a := Access{Address: c.Server, TLS: &tls.Config{}}
	ca, err := fileOrData(folder, c.CA, c.CAData)
	if err != nil {
		return a, fmt.Errorf("certificate-authority: %w", err)
	}
	if ca != nil {
		if a.TLS, err = trustPEM(ca); err != nil {
			return a, err
		}
	}
	a.TLS.ServerName, a.TLS.InsecureSkipVerify = c.Name, c.Insecure
	return a, nil
}

// identify sets the credentials.
func (u *kubeUser) identify(a *Access, folder string) error {
	switch {
	case u.Exec != nil:
		return errors.New("the user gets its credentials by running a program (exec), which goodgate does not: use a token file, a client certificate, or a service account's token")
	case u.Provider != nil:
		return errors.New("the user has an auth-provider, which is not supported: use a token file or a client certificate")
	case u.Username != "":
		return errors.New("the user has a password, which Kubernetes no longer takes: use a token file or a client certificate")
	case u.As != "":
		return errors.New("the user acts as another (as), which is not supported")
	}
	a.Token = u.Token
	if u.TokenFile != "" { // has priority, as in kubectl
		a.TokenFile = inFolder(folder, u.TokenFile)
	}
	cert, err := fileOrData(folder, u.Cert, u.CertData)
	if err != nil {
		return fmt.Errorf("client-certificate: %w", err)
	}
	key, err := fileOrData(folder, u.Key, u.KeyData)
	if err != nil {
		return fmt.Errorf("client-key: %w", err)
	}
	if cert == nil && key == nil {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("client-certificate with client-key: %w", err)
	}
	a.TLS.Certificates = []tls.Certificate{pair}
	return nil
}

// fileOrData returns the decoded base64 text, or else the content of a file; nil if
// there is neither.
func fileOrData(folder, file, data string) ([]byte, error) {
	if data != "" {
		text, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, errors.New("the data is not base64")
		}
		return text, nil
	}
	if file == "" {
		return nil, nil
	}
	return smallFile(inFolder(folder, file))
}

// inFolder returns a name relative to the folder of the kubeconfig.
func inFolder(folder, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(folder, name)
}
