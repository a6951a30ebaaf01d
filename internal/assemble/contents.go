package assemble

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goodgate/goodgate/internal/config"
)

// Contents returns hashes of the files that a configuration names and a reload reads
// again, by key and file name. It omits certificates of listeners and lists of upstreams,
// which are read whenever they change.
func Contents(c *config.Config) map[File][sha256.Size]byte {
	sums := map[File][sha256.Size]byte{}
	add := func(key, name string) {
		if name == "" {
			return
		}
		if data, err := os.ReadFile(name); err == nil {
			sums[File{key, name}] = sha256.Sum256(data)
		}
	}
	add("errors.html", c.Errors.HTML)
	add("errors.json", c.Errors.JSON)
	pages, _, _ := pageFiles(c.Errors.Dir)
	for name := range pages {
		add("errors.dir", filepath.Join(c.Errors.Dir, name))
	}
	for _, l := range c.Listeners {
		if l.TLS != nil {
			add(fmt.Sprintf("listeners[%s].tls.client_ca", l.Address), l.TLS.ClientCA)
			for _, name := range l.TLS.ClientCRL {
				add(fmt.Sprintf("listeners[%s].tls.client_crl", l.Address), name)
			}
		}
	}
	for _, o := range append([]config.LogOutput{c.Log.Main()}, c.Log.Outputs...) {
		if at := "log[" + o.Name + "].tls."; o.Secure() {
			add(at+"ca", o.TLS.CA)
			add(at+"cert", o.TLS.Cert)
			add(at+"key", o.TLS.Key)
		}
	}
	for name, p := range c.Pools {
		if p.Maintenance != nil {
			add("pools."+name+".maintenance.page", p.Maintenance.Page)
		}
		add("pools."+name+".tls.ca", p.TLS.CA)
		add("pools."+name+".tls.cert", p.TLS.Cert)
		add("pools."+name+".tls.key", p.TLS.Key)
	}
	return sums
}

// File is a file with the key that names it.
type File struct{ Key, Name string }
