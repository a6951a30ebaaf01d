//go:build !minimal

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/advice/diagnose"
	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

// doctorFlags is the command line of doctor.
type doctorFlags struct {
	config  string
	to      []string
	nginx   string
	root    string
	html    string
	haproxy string
	errors  []string // error logs
	access  []string // access logs
	logs    []string // logs of any kind
	since   time.Duration
	user    string
	wait    time.Duration
	maxWait time.Duration
	json    bool
	form    choice
	quiet   bool
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Diagnose 502/503/504 errors",
		Long: `Find the causes of gateway errors. doctor examines every upstream step by step
(name, route, connection, TLS, request, health endpoint, idle connection) and the
limits of this machine. Each finding names the fault, its effect and the setting
to change. For nginx, doctor also reads the configuration and the logs, and
compares them.

doctor sends GET requests and the configured health checks. It changes nothing.

Exit codes: 0 nothing is wrong, 1 the examination failed or found no upstream, 2 the
command line or the configuration is wrong, 3 a fault makes requests fail, 4 a fault
may make requests fail.`,
		Example: `  goodgate doctor --config goodgate.yaml
  goodgate doctor --to http://127.0.0.1:3000 --wait 75s
  goodgate doctor --nginx /etc/nginx/nginx.conf --error-log /var/log/nginx/error.log
  kubectl logs deploy/ingress | goodgate doctor --log -`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return ended(ctx, func() error {
				report, err := f.look(ctx, c.InOrStdin(), c.ErrOrStderr())
				if err != nil {
					return err
				}
				return f.write(c.OutOrStdout(), report)
			})
		},
	}
	c.Flags().StringVarP(&f.config, "config", "c", "", "goodgate configuration file")
	c.Flags().StringArrayVarP(&f.to, "to", "t", nil, "URL of an upstream, in place of a configuration; may be repeated")
	c.Flags().StringVar(&f.nginx, "nginx", "", "nginx configuration: nginx.conf, an included file or folder, or the output of nginx -T; - reads standard input")
	c.Flags().StringVar(&f.root, "root", "", "root folder for the paths in the nginx configuration, such as a container's /proc/PID/root")
	c.Flags().StringVar(&f.html, "html", "", "also write an HTML page to this file; it masks secrets and clients' addresses")
	c.Flags().StringVar(&f.haproxy, "haproxy", "", "HAProxy configuration; --access-log names its log")
	c.Flags().StringArrayVar(&f.errors, "error-log", nil, "nginx error log, also gzipped; may be repeated (default: the logs in the configuration)")
	c.Flags().StringArrayVar(&f.access, "access-log", nil, "nginx access log (default: the logs in the configuration), or HAProxy log; also gzipped; may be repeated")
	c.Flags().StringArrayVar(&f.logs, "log", nil, "log of nginx, HAProxy, Caddy, Traefik, Envoy, ingress-nginx or goodgate, also gzipped; - reads standard input; may be repeated; use it alone, or with --nginx or --haproxy")
	c.Flags().DurationVar(&f.since, "since", time.Hour, "treat an error as over if it does not occur in this last part of the logs; 0 = never")
	c.Flags().StringVar(&f.user, "user", "", "user of the proxy, to check socket permissions")
	c.Flags().DurationVar(&f.wait, "wait", 0, "watch an idle connection for this long, to find each upstream's keep-alive timeout")
	f.maxWait = 10 * time.Second
	c.Flags().Var((*duration)(&f.maxWait), "max-wait", "longest wait for a connection or a response")
	c.Flags().BoolVar(&f.json, "json", false, "the same as --output json")
	f.form.of = []string{"text", "json"}
	c.Flags().VarP(&f.form, "output", "o", "output format: text or json (default text)")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(f.form.of, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print only the findings, not the steps")
	c.MarkFlagFilename("config", "yaml", "yml")
	c.MarkFlagFilename("nginx", "conf")
	c.MarkFlagsOneRequired("config", "to", "nginx", "haproxy", "log")
	c.MarkFlagFilename("haproxy", "cfg")
	c.MarkFlagsMutuallyExclusive("config", "to", "nginx", "haproxy")
	c.MarkFlagsMutuallyExclusive("log", "config")
	c.MarkFlagsMutuallyExclusive("log", "to")
	c.MarkFlagsMutuallyExclusive("root", "config")
	c.MarkFlagsMutuallyExclusive("root", "to")
	c.MarkFlagsMutuallyExclusive("root", "haproxy")
	c.MarkFlagDirname("root")
	c.MarkFlagFilename("html", "html")
	c.MarkFlagsMutuallyExclusive("haproxy", "error-log")
	return c
}

// ended runs look until it returns or ctx ends. A blocked system call, for example the
// read of a file on a lost network, ends with the process.
func ended(ctx context.Context, look func() error) error {
	done := make(chan error, 1)
	go func() { done <- look() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return &exitError{exitFailed, fmt.Errorf("ended early: %w", context.Cause(ctx))}
	}
}

func (f *doctorFlags) look(ctx context.Context, in io.Reader, progress io.Writer) (*finding.Report, error) {
	if f.nginx+f.haproxy != "" {
		return f.lookOther(ctx, in, progress)
	}
	if len(f.logs) > 0 {
		return f.readLogs(ctx, progress)
	}
	cfg, warnings, err := load(f.config, []string{"127.0.0.1:0"}, f.to)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	targets, failed, err := assemble.Doctor(ctx, cfg)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	if err := f.setUser(targets); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	if f.config == "" { // without a configuration there are no pools
		for i := range targets {
			targets[i].Label, targets[i].Group = "", ""
			targets[i].Words = doctor.Words{Address: "goodgate run --to http://%s", HTTP: "goodgate run --to http://%s", HTTPS: "goodgate run --to https://%s"}
		}
	}
	how := f.options(progress)
	for _, l := range cfg.Listeners {
		if network, address := l.Network(); network == "tcp" {
			if _, port, err := net.SplitHostPort(address); err == nil {
				how.Own = append(how.Own, port)
			}
		}
	}
	report := doctor.Examine(ctx, targets, how)
	if ctx.Err() != nil {
		return nil, &exitError{exitFailed, fmt.Errorf("examining upstreams: %w", context.Cause(ctx))}
	}
	for _, err := range failed {
		report.NotKnown("%v", err)
	}
	for _, w := range warnings {
		report.Find(finding.Finding{
			Severity: finding.Notice, Confidence: finding.Certain, Code: "configuration", Where: w.Path,
			Seen: w.Message, Means: "the configuration contradicts itself, or is risky", Do: "run goodgate check, and correct the setting",
		})
	}
	f.lookLocal(&report, cfg)
	if f.config != "" && cfg.Admin.Address != "" {
		report.Add(diagnose.Running(ctx, admin.Client{Address: cfg.Admin.Address, Token: tokenOf(cfg.Admin, "")}, "-c "+f.config))
	}
	report.Rank()
	return &report, nil
}

// readLogs reads logs without a configuration.
func (f *doctorFlags) readLogs(ctx context.Context, progress io.Writer) (*finding.Report, error) {
	report, err := diagnose.Logs(ctx, diagnose.Sources{Logs: f.logs, Since: f.since, Look: f.options(progress)})
	if err != nil {
		return nil, undiagnosed(ctx, err)
	}
	return &report, nil
}

// lookOther examines another proxy.
func (f *doctorFlags) lookOther(ctx context.Context, in io.Reader, progress io.Writer) (*finding.Report, error) {
	diagnosed, sources := diagnose.Nginx, diagnose.Sources{Config: f.nginx, Root: f.root, Stdin: in, ErrorLogs: f.errors, AccessLogs: f.access, Logs: f.logs, Since: f.since, Look: f.options(progress)}
	if f.haproxy != "" {
		diagnosed, sources.Config = diagnose.HAProxy, f.haproxy
	}
	report, err := diagnosed(ctx, sources)
	if err != nil {
		return nil, undiagnosed(ctx, err)
	}
	return &report, nil
}

// undiagnosed returns the error of a diagnosis with its exit code: unless it ended early,
// the configuration or a log could not be read.
func undiagnosed(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, diagnose.ErrNothingRead) {
		return &exitError{exitFailed, err}
	}
	return &exitError{exitUsage, err}
}

// lookLocal adds this machine's side: the programs that have the listeners, and the
// limits.
func (f *doctorFlags) lookLocal(report *finding.Report, cfg *config.Config) {
	pid := 0
	if f.config != "" {
		var addresses []string
		for _, l := range cfg.Listeners {
			if network, address := l.Network(); network == "tcp" {
				addresses = append(addresses, address)
			}
		}
		report.Add(doctor.Listeners(addresses, "goodgate"))
		if len(addresses) > 0 {
			pid = doctor.Holder(addresses[0])
		}
	}
	report.Add(doctor.Local(pid))
}

func (f *doctorFlags) setUser(targets []doctor.Target) error {
	if f.user == "" {
		return nil
	}
	u, err := doctor.LookUpUser(f.user)
	if err != nil {
		return err
	}
	for i := range targets {
		targets[i].User = u
	}
	return nil
}

func (f *doctorFlags) options(progress io.Writer) doctor.Options {
	o := doctor.Options{MaxWait: f.maxWait, Wait: f.wait}
	if out, ok := progress.(*os.File); ok && term.IsTerminal(out.Fd()) {
		o.Progress = func(s string) { printable.Fprintln(progress, s) }
	}
	return o
}

func (f *doctorFlags) write(out io.Writer, report *finding.Report) error {
	var err error
	if f.json || f.form.value == "json" {
		err = report.WriteJSON(out)
	} else {
		err = report.WriteText(out, finding.TextOptions{Color: colorful(out), Steps: !f.quiet})
	}
	if err == nil && f.html != "" {
		err = f.writeHTML(report)
	}
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("writing: %w", err)}
	}
	switch worst, found := report.Worst(); {
	case found && worst == finding.Error:
		return &exitError{exitUnanswered, nil}
	case found && worst == finding.Warning:
		return &exitError{exitDoubtful, nil}
	case report.Blind:
		return &exitError{exitFailed, errors.New("no upstream to examine")}
	}
	return nil
}

// writeHTML writes the page in addition to the printed report.
func (f *doctorFlags) writeHTML(report *finding.Report) error {
	var b bytes.Buffer
	if err := report.WriteHTML(&b); err != nil {
		return err
	}
	return os.WriteFile(f.html, b.Bytes(), 0o600)
}

// colorful reports whether colours are wanted: on a terminal, unless NO_COLOR
// is set (no-color.org).
func colorful(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(f.Fd())
}
