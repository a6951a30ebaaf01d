package diagnose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// Sources names the configuration and the logs to read.
type Sources struct {
	Config     string // nginx.conf; a file that it includes, a folder of those, an nginx -T dump; "-" = Stdin
	Root       string // root folder of the file names in Config, such as a container's; "" = this machine's
	Stdin      io.Reader
	ErrorLogs  []string      // none = those that the configuration names
	AccessLogs []string      // none = those that the configuration names
	Logs       []string      // logs of any kind, instead of these two
	Since      time.Duration // window before the logs' end; older failures are notices; 0 = everything counts
	Look       doctor.Options
	Local      func(pid int) finding.Report // examines nginx's machine; nil = [doctor.Local]
}

// Nginx finds out why an nginx answers with bad gateways. It returns an error if the
// configuration or a log named in s is unreadable.
func Nginx(ctx context.Context, s Sources) (finding.Report, error) {
	c, err := nginxconf.Source{File: s.Config, Root: s.Root, Stdin: s.Stdin}.Load()
	if err != nil {
		return finding.Report{}, err
	}
	read := newLogCase(s)
	d := &nginxCase{config: c, root: s.Root, logs: read, errors: read.errors, access: read.access, from: map[string]*nginxconf.Location{}, alias: map[string]string{}}
	d.notRead()
	if err := d.readLogs(ctx, s); err != nil {
		return d.report, err
	}
	read.align()
	d.report.Add(read.report)
	d.targets()
	d.report.Blind = len(d.looked) == 0
	s.Look.Own = c.Ports()
	look := doctor.Examine(ctx, d.looked, s.Look)
	if ctx.Err() != nil {
		return d.report, fmt.Errorf("looking at upstreams: %w", context.Cause(ctx))
	}
	d.live = look.Findings
	look.Findings = nil
	d.report.Add(look)
	d.aliases(look.Names)
	d.elsewhere()
	d.local(s)
	d.noTimes()
	d.conclude()
	return d.report, nil
}

// nginxCase has the evidence about one nginx.
type nginxCase struct {
	config *nginxconf.Config
	root   string
	logs   *logCase
	errors *nginxlog.ErrorTally
	access *nginxlog.AccessTally
	looked []doctor.Target
	from   map[string]*nginxconf.Location // the location that leads to an upstream
	alias  map[string]string              // named upstreams, by their addresses
	live   []finding.Finding
	heard  bool // an error log was read
	report finding.Report
}

func (d *nginxCase) step(name, format string, args ...any) {
	d.report.Steps = append(d.report.Steps, finding.Step{Subject: d.config.File, Name: name, Result: fmt.Sprintf(format, args...)})
}

// readLogs reads the named logs, or else those of the configuration, which may be
// missing.
func (d *nginxCase) readLogs(ctx context.Context, s Sources) error {
	d.step("config", "%s, requests are passed on in %s", plural(len(d.config.Upstreams), "upstream block"), plural(len(d.config.Passes), "location"))
	if len(s.Logs) > 0 {
		return d.readMixed(ctx, s)
	}
	named := len(s.ErrorLogs) > 0
	names := s.ErrorLogs
	if !named {
		names = compact(d.config.ErrorLogs)
	}
	for _, name := range names {
		if !named && d.notAFile("error log", name) {
			continue
		}
		if err := d.readLog(ctx, "error log", name, ""); err != nil {
			if named || ctx.Err() != nil {
				return fmt.Errorf("error log: %w", err)
			}
			d.report.NotKnown("the error log: %v", err)
		}
	}
	if len(names) == 0 {
		d.noErrorLog()
	}
	return d.readAccessLogs(ctx, s.AccessLogs)
}

// readMixed reads logs that may contain both errors and requests, such as a
// container's.
func (d *nginxCase) readMixed(ctx context.Context, s Sources) error {
	format := ""
	for _, l := range d.config.Logs {
		format = cmp.Or(format, l.Format)
	}
	for _, name := range slices.Concat(s.Logs, s.ErrorLogs, s.AccessLogs) {
		if err := d.readLog(ctx, "log", name, format); err != nil {
			return fmt.Errorf("log: %w", err)
		}
	}
	return nil
}

// readLog adds a log. Its requests have the format, if that is not empty.
func (d *nginxCase) readLog(ctx context.Context, kind, name, format string) error {
	d.logs.format = nil
	if format != "" {
		f, err := nginxlog.NewFormat(format)
		if err != nil {
			return err
		}
		d.logs.format = f
	}
	lines, requests := d.errors.Lines, d.access.Lines
	n, err := d.logs.read(ctx, name)
	if err == nil {
		d.heard = d.heard || kind == "error log" || d.errors.Lines > lines
		d.step(kind, "%s: %d lines, %d of an error log, %d requests", name, n, d.errors.Lines-lines, d.access.Lines-requests)
	}
	return err
}

func (d *nginxCase) readAccessLogs(ctx context.Context, names []string) error {
	logs := d.config.Logs
	for _, name := range names {
		logs = append(logs, nginxconf.AccessLog{File: name, Format: d.formatOf(name)})
	}
	if len(names) > 0 {
		logs = logs[len(d.config.Logs):]
	}
	read := map[string]bool{}
	for _, l := range logs {
		if read[l.File] {
			continue
		}
		read[l.File] = true
		if len(names) == 0 && d.notAFile("access log", l.File) {
			continue
		}
		err := d.readLog(ctx, "access log", l.File, l.Format)
		switch {
		case err != nil && (len(names) > 0 || ctx.Err() != nil):
			return fmt.Errorf("access log: %w", err)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			d.report.NotKnown("the access log: %v", err)
		}
	}
	return nil
}

// formatOf returns the configured format of a log, by its file. A rotated file
// (access.log.1.gz) has the format of the original.
func (d *nginxCase) formatOf(name string) string {
	for _, l := range d.config.Logs {
		if strings.HasPrefix(filepath.Base(name), filepath.Base(l.File)) {
			return l.Format
		}
	}
	return ""
}

// local examines this machine, and the running nginx if there is one.
func (d *nginxCase) local(s Sources) {
	pid := 0
	if name := d.config.PIDFile; name != "" && d.root == "" && !d.config.Dump {
		if b, err := os.ReadFile(name); err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
	}
	look := doctor.Local
	if s.Local != nil {
		look = s.Local
	}
	d.report.Add(look(pid))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func compact(list []string) []string {
	return slices.Sorted(maps.Keys(set(list)))
}

func set(list []string) map[string]bool {
	m := map[string]bool{}
	for _, s := range list {
		m[s] = true
	}
	return m
}
