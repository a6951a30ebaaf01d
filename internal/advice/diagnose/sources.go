package diagnose

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
)

// notRead notes the parts of the configuration that were not examined.
func (d *nginxCase) notRead() {
	c := d.config
	for _, p := range c.Problems {
		d.report.NotKnown("%s", p)
	}
	for _, b := range c.Blocks("stream") {
		d.report.NotKnown("the upstreams of stream {} (%s): the doctor examines only HTTP", b.At())
	}
	if len(c.Passes) > 0 {
		return
	}
	d.report.NotKnown("any upstream: %s has no proxy_pass, fastcgi_pass, uwsgi_pass, scgi_pass or grpc_pass", c.File)
	for _, pattern := range c.Unmatched {
		d.report.NotKnown("the includes of %s: no file matches", pattern)
	}
}

// notAFile reports whether a configured log is not a regular file, and notes it.
// Reading it might never end.
func (d *nginxCase) notAFile(kind, name string) bool {
	info, err := os.Stat(name)
	if !isDevice(d.root, name) && (err != nil || info.Mode().IsRegular()) {
		return false
	}
	d.report.NotKnown("the %s: %s is not a file; docker logs NAME > FILE 2>&1, then --log FILE", kind, name)
	return true
}

// isDevice reports whether a name leads into /dev or /proc. There, /dev/stdout is the
// output of the reading process, which may be a file.
func isDevice(root, name string) bool {
	for range 40 {
		within := strings.TrimPrefix(name, root)
		if strings.HasPrefix(within, "/dev/") || strings.HasPrefix(within, "/proc/") {
			return true
		}
		to, err := os.Readlink(name)
		if err != nil {
			return false
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(within), to)
		}
		name = filepath.Join(root, to)
	}
	return true
}

// noErrorLog notes how to get an error log that is not in a file.
func (d *nginxCase) noErrorLog() {
	for _, l := range d.config.Elsewhere {
		d.report.NotKnown("the error log: it goes to %s (%s); docker logs NAME > FILE 2>&1, or journalctl -u nginx > FILE, then --log FILE", l.Arg(0), l.At())
	}
	if len(d.config.Elsewhere) == 0 {
		d.report.NotKnown("the error log: none given; --error-log FILE reads one")
	}
}

// noTimes notes the findings that an access log with durations would allow.
func (d *nginxCase) noTimes() {
	var failed, timed int64
	for _, t := range d.access.Traffic() {
		failed, timed = failed+t.Errors[502], timed+t.Failed.N
	}
	if failed > 0 && timed == 0 {
		d.report.NotKnown("the time after which requests failed, which separates a worker's timeout from a crash: add $upstream_addr and $upstream_response_time to the log_format of the access log")
	}
}

// aliases maps addresses in the logs to the configured upstream with these addresses,
// unless the configuration itself contains them.
func (d *nginxCase) aliases(names map[string][]string) {
	for name, addresses := range names {
		for _, a := range addresses {
			if _, own := d.from[a]; !own {
				d.alias[a] = name
			}
		}
	}
}

// aliased returns the configured name of an upstream in the error log.
func (d *nginxCase) aliased(upstream string) string {
	if name, known := d.alias[upstream]; known {
		return name
	}
	return upstream
}

// elsewhere removes findings that come from examining the wrong place: a name that is
// probably an upstream block in an unread file, or an address inside a container.
func (d *nginxCase) elsewhere() {
	var kept []finding.Finding
	unseen := func(f finding.Finding) {
		d.report.Looked = slices.DeleteFunc(d.report.Looked, func(url string) bool { return url == f.Upstream })
	}
	for _, f := range d.live {
		t := d.target(f.Upstream)
		host, _, _ := net.SplitHostPort(t.Addr)
		ip, _ := netip.ParseAddr(host)
		incomplete := d.config.Fragment || len(d.config.Problems) > 0
		switch {
		case f.Code == "dns_not_found" && t.Group == "" && incomplete && !strings.Contains(host, "."):
			d.report.NotKnown("where %s (%s) leads: no upstream block of this name was read, and there is no such host; give the whole configuration (nginx.conf, its folder, or nginx -T)", f.Upstream, t.Label)
			unseen(f)
		case f.Reason.String() == "connect_refused" && d.root != "" && ip.IsLoopback():
			d.report.NotKnown("whether %s (%s) answers: it is the container's own address; run the doctor in its network (nsenter -t PID -n, docker run --network container:NAME)", f.Upstream, t.Label)
			unseen(f)
		default:
			kept = append(kept, f)
		}
	}
	d.live = kept
	d.report.Blind = !slices.ContainsFunc(d.looked, func(t doctor.Target) bool { return slices.Contains(d.report.Looked, t.URL()) })
}

// target returns the examined target with a URL.
func (d *nginxCase) target(url string) doctor.Target {
	for _, t := range d.looked {
		if t.URL() == url {
			return t
		}
	}
	return doctor.Target{}
}
