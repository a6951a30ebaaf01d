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

// notRead says what of the configuration is not looked at.
func (d *nginxCase) notRead() {
	c := d.config
	for _, p := range c.Problems {
		d.report.NotKnown("%s", p)
	}
	for _, b := range c.Blocks("stream") {
		d.report.NotKnown("what stream {} (%s) leads to: only HTTP is looked at", b.At())
	}
	if len(c.Passes) > 0 {
		return
	}
	d.report.NotKnown("any upstream: %s has no proxy_pass, fastcgi_pass, uwsgi_pass, scgi_pass or grpc_pass", c.File)
	for _, pattern := range c.Unmatched {
		d.report.NotKnown("what %s would include: no file matches", pattern)
	}
}

// notAFile reports whether a log that the configuration names is something else than
// a file, and says so: reading it might never end.
func (d *nginxCase) notAFile(kind, name string) bool {
	info, err := os.Stat(name)
	if !isDevice(d.root, name) && (err != nil || info.Mode().IsRegular()) {
		return false
	}
	d.report.NotKnown("what the %s tells: %s is no file; docker logs NAME > FILE 2>&1, then --log FILE", kind, name)
	return true
}

// isDevice reports whether a name leads into /dev or /proc. /dev/stdout is then
// whatever the one who looks has for it, which may be a file.
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

// noErrorLog says how to get at an error log that is no file.
func (d *nginxCase) noErrorLog() {
	for _, l := range d.config.Elsewhere {
		d.report.NotKnown("what the error log tells: it goes to %s (%s); docker logs NAME > FILE 2>&1, or journalctl -u nginx > FILE, then --log FILE", l.Arg(0), l.At())
	}
	if len(d.config.Elsewhere) == 0 {
		d.report.NotKnown("what the error log tells: none is named; --error-log FILE reads one")
	}
}

// noTimes says what an access log would tell if its format had times.
func (d *nginxCase) noTimes() {
	var failed, timed int64
	for _, t := range d.access.Traffic() {
		failed, timed = failed+t.Errors[502], timed+t.Failed.N
	}
	if failed > 0 && timed == 0 {
		d.report.NotKnown("after how long requests failed, which tells a worker's timeout from a crash: add $upstream_addr and $upstream_response_time to the log_format of the access log")
	}
}

// aliases lets the addresses in the logs be those of the upstream that the
// configuration names, where no other has them.
func (d *nginxCase) aliases(names map[string][]string) {
	for name, addresses := range names {
		for _, a := range addresses {
			if _, own := d.from[a]; !own {
				d.alias[a] = name
			}
		}
	}
}

// aliased is an upstream of the error log by the name that it has in the configuration.
func (d *nginxCase) aliased(upstream string) string {
	if name, known := d.alias[upstream]; known {
		return name
	}
	return upstream
}

// elsewhere takes back what was found from the wrong place: a name that is an upstream
// block in a file that was not read, an address that is a container's own.
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

// target is what was looked at, by its URL.
func (d *nginxCase) target(url string) doctor.Target {
	for _, t := range d.looked {
		if t.URL() == url {
			return t
		}
	}
	return doctor.Target{}
}
