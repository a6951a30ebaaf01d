package assemble

import (
	"errors"
	"os/exec"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/edition"
)

// acme checks whether the folder can be created or written, and checks the account key in
// it. If a key exists, a start writes nothing.
func (f *files) acme(path string, c config.ACME) {
	if edition.Minimal { // its configuration has no acme
		return
	}
	f.program(path+".dns.exec.program", c)
	path += ".cache"
	err := acme.CheckAccount(c.Cache, c.Directory)
	known := acme.HasAccount(c.Cache, c.Directory)
	if err == nil {
		err = makeableFolder(acme.Folder(c.Cache, c.Directory))
	}
	if err = trimmed(err, "acme.cache: "); err != nil && known && errors.Is(err, errUnwritable) {
		f.warnf(path, "%v: certificates cannot be renewed", err)
		return
	}
	f.error(path, err)
}

// program checks whether the program for DNS records can be run. A start continues
// without it: the certificates in the cache are in use until they expire.
func (f *files) program(path string, c config.ACME) {
	if c.DNS == nil || c.DNS.Exec == nil {
		return
	}
	if _, err := exec.LookPath(c.DNS.Exec.Program); err != nil {
		f.warnf(path, "%s cannot be run: %v: certificates cannot be obtained", c.DNS.Exec.Program, errors.Unwrap(err))
	}
}
