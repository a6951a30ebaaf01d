package assemble

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/access"
	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/proxy"
)

// Load reads a configuration file and opens the files that it names. Start, reload and
// the command check all use it, so that they report the same.
func Load(path string) (*config.Config, []config.Warning, error) {
	c, warnings, err := config.Load(path)
	return WithFiles(c, warnings, err)
}

// Parse is [Load] for files that were read before.
func Parse(files []config.File) (*config.Config, []config.Warning, error) {
	c, warnings, err := config.ParseFiles(files, os.LookupEnv)
	return WithFiles(c, warnings, err)
}

// WithFiles adds to the results of [config.Parse] the errors in the files that the
// configuration names.
func WithFiles(c *config.Config, warnings []config.Warning, err error) (*config.Config, []config.Warning, error) {
	if err != nil {
		return nil, warnings, err
	}
	errs, more := Files(c, time.Now())
	if len(errs) > 0 {
		return nil, append(warnings, more...), errs
	}
	return c, append(warnings, more...), nil
}

// Files opens the files that a configuration names, and checks whether goodgate can write
// its own files. Errors are those that would fail a start. Files changes nothing: it
// creates no file and binds no address.
func Files(c *config.Config, now time.Time) (config.Errors, []config.Warning) {
	f := &files{config: c, now: now}
	for i, l := range c.Listeners {
		f.listener(fmt.Sprintf("listeners[%d]", i), l)
	}
	f.socket("admin.address", config.Listener{Address: c.Admin.Address})
	f.page("errors.html", c.Errors.HTML, func(text string) error { _, err := proxy.NewPages(text, ""); return err })
	f.page("errors.json", c.Errors.JSON, func(text string) error { _, err := proxy.NewPages("", text); return err })
	pages, others, err := pageFiles(c.Errors.Dir)
	f.error("errors.dir", err)
	if err == nil && c.Errors.Dir != "" && len(pages) == 0 {
		f.warnf("errors.dir", "%s has no page: expected names like 404.html, 5xx.html, 503.json or 4xx.txt", c.Errors.Dir)
	}
	for _, name := range others {
		f.warnf("errors.dir", "%s is not a page, and goodgate ignores it: expected names like 404.html, 5xx.html, 503.json or 4xx.txt", name)
	}
	f.state("state.file", c.State.File)
	if c.Zone.File != "" {
		_, err := zoneOf(c.Zone.File)
		f.error("zone.file", err)
	}
	f.log()
	f.trust("tracing.tls", c.Tracing.TLS, "the endpoint")
	f.trust("metrics.tls", c.Metrics.TLS, "the endpoint")
	for i, r := range c.Routes {
		if r.Access.Basic != nil {
			f.users(fmt.Sprintf("routes[%d].access.basic.file", i), r.Access.Basic.File)
		}
		if a := r.Access.Forward; a != nil {
			f.trust(fmt.Sprintf("routes[%d].access.forward.tls", i), a.TLS, "the service")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		if !c.Pools[name].Implied() {
			f.pool("pools."+name, c.Pools[name])
		}
	}
	if c.Fleet != nil && c.Fleet.TLS != nil {
		f.trust("fleet.tls", *c.Fleet.TLS, "the store")
	}
	var warnings []config.Warning
	for _, w := range f.doubts.Sorted() {
		warnings = append(warnings, config.Warning(w))
	}
	return f.errs.Sorted(), warnings
}

// files collects the results of one check.
type files struct {
	config *config.Config
	now    time.Time
	errs   config.Errors
	doubts config.Errors
}

// error records an error about a key, unless it is nil.
func (f *files) error(path string, err error) {
	if err == nil {
		return
	}
	text := err.Error()
	if errors.Is(err, fs.ErrPermission) {
		text += fmt.Sprintf(" (for user id %d)", os.Geteuid())
	}
	f.errs = append(f.errs, f.config.Errorf(path, "%s", text))
}

func (f *files) warnf(path, format string, args ...any) {
	f.doubts = append(f.doubts, f.config.Errorf(path, format, args...))
}

// read returns the content of a file. If reading fails, read records the error, and ok is
// false. Without a name it returns nothing.
func (f *files) read(path, name string) (data []byte, ok bool) {
	if name == "" {
		return nil, true
	}
	info, err := os.Stat(name)
	if err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		err = fmt.Errorf("%s is a pipe or a socket: use a regular file, which goodgate can read again", name)
	}
	if err == nil {
		data, err = os.ReadFile(name)
	}
	if e, is := errors.AsType[*fs.PathError](err); is {
		e.Op = "open" // the same for all failures
	}
	f.error(path, err)
	return data, err == nil
}

func (f *files) listener(path string, l config.Listener) {
	f.socket(path+".address", l)
	if l.TLS == nil {
		return
	}
	for i, c := range l.TLS.Certificates {
		at := fmt.Sprintf("%s.tls.certificates[%d]", path, i)
		f.keyPair(at, certs.File{Cert: c.Cert, Key: c.Key}, "clients")
		f.ocsp(at+".ocsp", c)
		f.mustStaple(at+".cert", c, l.TLS.OCSPStapling)
	}
	f.revocations(path+".tls.client_crl", l.TLS.ClientCRL, f.authorities(path+".tls.client_ca", l.TLS.ClientCA))
	if a := l.TLS.ACME; a != nil {
		f.authorities(path+".tls.acme.ca", a.CA)
		f.acme(path+".tls.acme", *a)
	}
}

// socket checks whether the socket of a listener can be created.
func (f *files) socket(path string, l config.Listener) {
	network, name := l.Network()
	if network != "unix" || l.Address == "" {
		return
	}
	info, err := os.Lstat(name)
	switch {
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		f.error(path, fmt.Errorf("unix:%s exists and is not a socket", name))
	case err == nil || errors.Is(err, fs.ErrNotExist):
		f.error(path, makeable("listen", name))
	default:
		f.error(path, err)
	}
}

// state checks whether the state file can be read and written. A start continues without
// it.
func (f *files) state(path, name string) {
	if name == "" {
		return
	}
	err := changes.Check(name)
	if err == nil {
		err = makeableFolder(filepath.Dir(name))
	}
	if err != nil {
		f.warnf(path, "%s: a restart may lose the operators' changes", trimmed(err, "open "+name+": "))
	}
}

// makeableFolder returns the reason that a folder cannot be created or written; nil if it
// can.
func makeableFolder(dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder", at)
		}
		if err := writable(at); err != nil {
			return pathError("mkdir", dir, errors.Join(errUnwritable, err))
		}
		return nil
	}
}

var errUnwritable = errors.New("cannot be written to")

// users checks a file of users.
func (f *files) users(path, name string) {
	if _, ok := f.read(path, name); !ok {
		return
	}
	n, weakest, err := access.Check(name)
	f.error(path, err)
	switch {
	case err != nil:
	case n == 0:
		f.warnf(path, "%s has no user: nobody can log in", name)
	case weakest != "":
		f.warnf(path, "%s, %s", name, weakest)
	}
}

// page checks the template of an error page.
func (f *files) page(path, name string, parse func(text string) error) {
	text, ok := f.read(path, name)
	if ok && name != "" {
		if err := parse(string(text)); err != nil {
			f.error(path, fmt.Errorf("%s: %w", name, err))
		}
	}
}

func (f *files) pool(path string, p config.Pool) {
	f.trust(path+".tls", p.TLS, "upstreams")
	if _, err := Maintenance(p.Maintenance); err != nil {
		f.error(path+".maintenance.page", trimmed(err, "maintenance.page: "))
	}
	for i, u := range p.Upstreams {
		if r, ok := u.Registry(); ok {
			f.registry(fmt.Sprintf("%s.upstreams[%d].%s", path, i, r.Key), r)
		}
		if k := u.Kubernetes; k != nil && k.Kubeconfig != "" {
			f.registryFile(fmt.Sprintf("%s.upstreams[%d].kubernetes.kubeconfig", path, i), checkKubeconfig(k))
		}
		if u.File == "" {
			continue
		}
		at := fmt.Sprintf("%s.upstreams[%d].file", path, i)
		switch n, err := discovery.CheckFile(u.File); {
		case err != nil:
			f.warnf(at, "%v; the pool lacks these upstreams until goodgate can read the file", trimmed(err, "reading the list of upstreams: "))
		case n == 0:
			f.warnf(at, "%s lists no upstream", u.File)
		}
	}
}

// trust checks the files for verifying a server, and for identifying to it.
func (f *files) trust(path string, t config.TLS, shown string) {
	f.authorities(path+".ca", t.CA)
	if t.Cert != "" {
		f.keyPair(path, certs.File{Cert: t.Cert, Key: t.Key}, shown)
	}
}

// registry checks the files of a source that asks another program.
func (f *files) registry(path string, r config.Registry) {
	f.trust(path+".tls", r.TLS, "the other program")
	if r.SecretFile != "" {
		f.registryFile(path+"."+r.Secret+"_file", checkSecret(r.SecretFile))
	}
}

// registryFile records an error in a file that the source reads for each request.
func (f *files) registryFile(path string, err error) {
	if err != nil {
		f.warnf(path, "%v; goodgate cannot ask the source until you correct that", err)
	}
}

// trimmed returns err without the words that the key's path already says.
func trimmed(err error, words string) error {
	if err == nil {
		return nil
	}
	return reworded{err, strings.TrimPrefix(err.Error(), words)}
}

// reworded is an error with another text.
type reworded struct {
	error
	text string
}

func (r reworded) Error() string { return r.text }
func (r reworded) Unwrap() error { return r.error }

// appendable returns the reason that a log cannot be opened; nil if it can.
func appendable(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeable("open", name)
	case err == nil && info.IsDir():
		return pathError("open", name, errIsFolder)
	case err == nil:
		return pathError("open", name, writable(name))
	}
	return err
}

var errIsFolder = errors.New("is a folder")

// makeable returns the reason that a missing file cannot be created; nil if it can.
func makeable(op, name string) error {
	dir := filepath.Dir(name)
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s %s: %s is not a folder", op, name, dir)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s: the folder %s does not exist", op, name, dir)
	case err != nil:
		return err
	}
	return pathError(op, name, writable(dir))
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
