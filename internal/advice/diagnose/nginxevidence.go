package diagnose

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/reason"
)

// found reports whether the examination has a finding about an upstream.
func (d *nginxCase) found(code, upstream string) bool {
	return slices.ContainsFunc(d.live, func(f finding.Finding) bool { return f.Code == code && f.Upstream == upstream })
}

// unexplained returns findings for the gateway errors in the access log without a cause
// in the error log or the examination. If the error log is silent about them, they are
// the application's own answers.
func (d *nginxCase) unexplained(logged []finding.Finding) []finding.Finding {
	list := d.logs.unexplained(slices.Concat(logged, d.live), func(address string) string {
		if address == "" {
			return ""
		}
		return d.upstreamOf(address)
	})
	list = slices.DeleteFunc(list, func(f finding.Finding) bool { return f.Upstream == "" && d.answersItself() })
	for i := range list {
		f := &list[i]
		if f.Upstream != "" {
			f.Where = d.where(f.Upstream)
		}
		f.Because = "only the access log shows it"
		if l := d.from[f.Upstream]; !d.heard || l == nil || f.Code != "gateway_errors" || slices.Contains([]string{"crit", "alert", "emerg"}, l.One("error_log").Arg(1)) {
			continue
		}
		f.Code, f.Reason, f.Confidence = "upstream_status", reason.UpstreamStatus, finding.Likely
		f.Because = "nginx writes its own failures into its error log, which has nothing about this"
		f.Means = "the error comes from the application, or from a proxy in it, not from nginx"
		f.Do = "check the application's log at these times"
	}
	return list
}

// answersItself reports whether the configuration makes nginx answer with a gateway
// error, usually for maintenance.
func (d *nginxCase) answersItself() bool {
	return d.config.Has(func(s *nginxconf.Directive) bool {
		return s.Name == "return" && slices.Contains([]string{"502", "503", "504"}, s.Arg(0))
	})
}

// mixed corrects the remedy for one server of a group whose other servers accept the
// protocol: a change of proxy_pass would affect all of them.
func (d *nginxCase) mixed() {
	other := []string{"plain_to_tls_port", "tls_to_plain_port", "http2_only", "fastcgi_only", "uwsgi_only", "http_only"}
	for i := range d.live {
		f := &d.live[i]
		group := d.target(f.Upstream).Group
		if group == "" || !slices.Contains(other, f.Code) {
			continue
		}
		well := slices.ContainsFunc(d.looked, func(t doctor.Target) bool {
			return t.Group == group && t.URL() != f.Upstream && !slices.ContainsFunc(d.live, func(o finding.Finding) bool {
				return o.Upstream == t.URL() && o.Severity == finding.Error
			})
		})
		if well {
			f.Directive = ""
			f.Do = "correct the port of this server: the others of its group speak the configured protocol"
		}
	}
}

// ownFolder returns the command that gives the folder in a message to nginx's user.
func (d *nginxCase) ownFolder(sample string) string {
	_, rest, _ := strings.Cut(sample, `"`)
	name, _, ok := strings.Cut(rest, `"`)
	if !ok || !strings.HasPrefix(name, "/") {
		return ""
	}
	dir := path.Dir(name)
	for base := path.Base(dir); len(base) <= 2 && strings.Trim(base, "0123456789") == ""; base = path.Base(dir) { // subfolders from the setting levels
		dir = path.Dir(dir)
	}
	user, _, _ := strings.Cut(cmp.Or(d.config.User, "nobody"), " ")
	return "chown -R " + user + " " + dir
}
