package nginxconf

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	crossplane "github.com/nginxinc/nginx-go-crossplane"
)

// Config is the proxying part of an nginx configuration.
type Config struct {
	File      string
	User      string // user of the workers; "" = not set
	PIDFile   string // "" = not set
	Workers   Directive
	NoFile    Directive // worker_rlimit_nofile
	Servers   []*Server
	Upstreams map[string]*Upstream
	Locations []*Location // locations with a proxy_pass
	Passes    []*Location // these, and locations with a fastcgi_pass, uwsgi_pass, scgi_pass or grpc_pass
	ErrorLogs []string    // files
	Logs      []AccessLog
	Root      []*Directive // the complete tree
	Problems  []string     // parts that could not be read
	Fragment  bool         // another file includes this one
	Dump      bool         // the text is the output of nginx -T
	Unmatched []string     // include patterns without a match
	Elsewhere []Directive  // logs that do not go to files

	root root
}

// Path returns the path on this machine for a file name in the configuration.
func (c *Config) Path(name string) string { return c.root.path(c.absolute(name)) }

// AccessLog is a log's file and the text of its log_format.
type AccessLog struct{ File, Format string }

// Directive is a directive with its place. The zero value stands for a missing one.
type Directive struct {
	Name  string
	Args  []string
	File  string
	Line  int
	Block []*Directive
}

// At returns the directive's place, such as "nginx.conf:12".
func (d Directive) At() string {
	if d.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", filepath.Base(d.File), d.Line)
}

// Arg returns an argument, "" if there are fewer.
func (d Directive) Arg(i int) string {
	if i >= len(d.Args) {
		return ""
	}
	return d.Args[i]
}

// Server is a server block.
type Server struct {
	scope
	Directive
	Names  []string
	Listen []Directive
}

// TLS reports whether the server accepts https.
func (s *Server) TLS() bool {
	for _, l := range s.Listen {
		if slices.Contains(l.Args[min(1, len(l.Args)):], "ssl") {
			return true
		}
	}
	return s.One("ssl").Arg(0) == "on"
}

// Upstream is an upstream block.
type Upstream struct {
	Directive
	Name      string
	Servers   []Peer
	Keepalive Directive     // the directive keepalive; zero = connections are closed after use
	Timeout   time.Duration // timeout of idle connections
}

// Peer is a server of an upstream block.
type Peer struct {
	Directive
	Addr   string // host:port or unix:/path
	Params map[string]string
}

// tree joins the files of a payload into one tree.
type tree struct {
	payload *crossplane.Payload
	count   int
	err     error
}

const (
	maxDepth      = 64      // nesting of blocks and includes
	maxDirectives = 1 << 20 // directives in a whole configuration
)

func (t *tree) convert(list crossplane.Directives, file string, depth int) []*Directive {
	var out []*Directive
	if depth > maxDepth {
		t.err = errors.New("includes or blocks are nested too deep")
		return nil
	}
	for _, d := range list {
		t.count++
		if t.err != nil || t.count > maxDirectives {
			t.err = errors.Join(t.err, fmt.Errorf("more than %d directives", maxDirectives))
			return out
		}
		if d.IsInclude() {
			for _, i := range d.Includes {
				if i >= 0 && i < len(t.payload.Config) {
					c := t.payload.Config[i]
					out = append(out, t.convert(c.Parsed, c.File, depth+1)...)
				}
			}
			continue
		}
		n := &Directive{Name: d.Directive, Args: d.Args, File: file, Line: d.Line}
		if d.IsBlock() {
			n.Block = t.convert(d.Block, file, depth+1)
		}
		out = append(out, n)
	}
	return out
}

// Duration parses a time in nginx's form: "60", "1m30s", "500ms"; ok is false if it is
// invalid.
func Duration(text string) (d time.Duration, ok bool) {
	units := []struct {
		name string
		unit time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}}
	rest := strings.ReplaceAll(text, " ", "")
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 9 {
			return 0, false
		}
		var n int64
		for _, c := range rest[:digits] {
			n = n*10 + int64(c-'0')
		}
		rest = rest[digits:]
		unit := time.Second
		for _, u := range units {
			if strings.HasPrefix(rest, u.name) {
				unit, rest = u.unit, rest[len(u.name):]
				break
			}
		}
		d += time.Duration(n) * unit
	}
	return d, text != "" && d >= 0
}

// Size parses a size in nginx's form: "8k", "1m", "4096".
func Size(text string) (n int64, ok bool) {
	unit := int64(1)
	if text == "" {
		return 0, false
	}
	switch text[len(text)-1] {
	case 'k', 'K':
		unit = 1 << 10
	case 'm', 'M':
		unit = 1 << 20
	case 'g', 'G':
		unit = 1 << 30
	}
	if unit > 1 {
		text = text[:len(text)-1]
	}
	for _, c := range text {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n * unit, text != ""
}
