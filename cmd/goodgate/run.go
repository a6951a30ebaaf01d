package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
	"github.com/goodgate/goodgate/internal/handover"
	"github.com/goodgate/goodgate/internal/logging"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/internal/printable"
)

// runFlags is the command line of run.
type runFlags struct {
	file       string
	listen, to []string
	admin      string // address, "off", or empty = the default
	format     choice // of the log; empty = as configured
	watch      bool
}

func newRun() *cobra.Command {
	f := runFlags{format: choice{of: []string{"auto", "human", "json", "text", "common", "combined"}}}
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the proxy",
		Long: `Run the proxy with a configuration file, or with the flags --listen and --to.

With --listen and --to, goodgate serves the admin API and the dashboard on
` + defaultAdmin + `, for this machine only; --admin moves them or turns them off.
With a configuration file, admin.address turns them on.

Signals:
  SIGHUP           reload the configuration file; if it has an error, change nothing
  SIGUSR1          reopen the log file
  SIGUSR2          start the program again from the same path, and hand over to it
  SIGTERM, SIGINT  drain: responses have Connection: close, requests in flight
                   finish, then the process ends; a second signal ends it at once`,
		Example: `  goodgate run --listen :8080 --to http://127.0.0.1:3000 --to unix:/run/app.sock
  goodgate run --config goodgate.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, warnings, err := f.load()
			if err != nil {
				return &exitError{exitUsage, err}
			}
			for _, w := range warnings {
				printable.Fprintln(c.ErrOrStderr(), "warning:", w)
			}
			return asService(c.Context(), func(ctx context.Context) error { return serve(ctx, cfg, f) })
		},
	}
	c.Flags().StringVarP(&f.file, "config", "c", "", "configuration `FILE`")
	c.Flags().StringArrayVarP(&f.listen, "listen", "l", nil, "`ADDRESS` to listen on, host:port or unix:/path; may be repeated")
	c.Flags().StringArrayVarP(&f.to, "to", "t", nil, "`URL` of an upstream, http://host:port, https://host:port or unix:/path; may be repeated")
	c.Flags().StringVar(&f.admin, "admin", "", "with --to: `ADDRESS` of the admin API and the dashboard, host:port, unix:/path or off (default "+defaultAdmin+")")
	c.Flags().Var(&f.format, "log-format", "log format: "+f.format.list()+" (default auto: human on a terminal, else json)")
	c.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions(f.format.of, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&f.watch, "watch", false, "reload when a file of the configuration changes, without a SIGHUP")
	c.MarkFlagsMutuallyExclusive("watch", "listen")
	c.MarkFlagsMutuallyExclusive("config", "listen")
	c.MarkFlagsMutuallyExclusive("config", "to")
	c.MarkFlagsMutuallyExclusive("config", "admin")
	c.MarkFlagsOneRequired("config", "listen")
	c.MarkFlagsOneRequired("config", "to")
	c.MarkFlagFilename("config", "yaml", "yml")
	return c
}

// load returns the configuration from the file or the flags.
func (f *runFlags) load() (*config.Config, []config.Warning, error) {
	read := func() (*config.Config, []config.Warning, error) { return assemble.Load(f.file) }
	if f.file == "" {
		read = func() (*config.Config, []config.Warning, error) { return config.Sidecar(f.listen, f.to, f.operator()) }
	}
	cfg, warnings, err := read()
	if err == nil {
		f.override(cfg)
	}
	return cfg, warnings, err
}

// override replaces settings of the file by flags.
func (f *runFlags) override(c *config.Config) {
	c.Log.Format = cmp.Or(config.LogFormat(f.format.value), c.Log.Format)
}

// loader returns a function that reads the configuration again, nil without a file.
func (f *runFlags) loader() func() (*config.Config, []config.Warning, error) {
	if f.file == "" {
		return nil
	}
	return f.load
}

// parser returns a function that parses earlier versions of the files, nil without a
// file.
func (f *runFlags) parser() func([]config.File) (*config.Config, []config.Warning, error) {
	if f.file == "" {
		return nil
	}
	return func(files []config.File) (*config.Config, []config.Warning, error) {
		cfg, warnings, err := assemble.Parse(files)
		if err == nil {
			f.override(cfg)
		}
		return cfg, warnings, err
	}
}

// load returns the configuration from a file, or else from addresses, without an
// operator's API.
func load(file string, listen, to []string) (*config.Config, []config.Warning, error) {
	if file != "" {
		return config.Load(file)
	}
	return config.Sidecar(listen, to, config.Admin{})
}

// serve runs a gate until a signal, and until its drain has ended.
func serve(ctx context.Context, cfg *config.Config, from runFlags) error {
	defer tuneCollector()()
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // the gate logs its own warning
	log, err := openLog(cfg)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer log.Close()
	adopt(log)
	defer reopening(log)()
	inherited, err := handover.Receive()
	if err != nil {
		return &exitError{exitFailed, err}
	}
	g, err := gate.New(cfg, gate.Options{
		Logger: log.Logger, Access: log.Access, Relog: relog(log), Version: version(), Metrics: counts(log), Load: from.loader(), Parse: from.parser(), Inherit: inherited,
		AdminSpares: from.adminSpares(), StateDir: stateDir(),
	})
	if err != nil {
		return &exitError{exitUsage, err}
	}
	ctx, now, stop := untilSignal(ctx)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, reloadSignal, upgradeSignal)
	defer signal.Stop(hangup)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	alive, dead := context.WithCancel(context.Background())
	defer dead()
	systemd := supervisor{log.Logger}
	defer context.AfterFunc(ctx, systemd.stopping)() // not after another process has taken over
	err = g.Run(ctx, now, func(addrs []string) {
		if human(cfg) {
			log.Info(welcome(cfg, addrs, g.AdminAddress()))
		} else {
			log.Info("serving", "listeners", addrs, "version", version(), "pid", os.Getpid())
		}
		if err := inherited.Ready(); err != nil {
			log.Error("handover not confirmed: the old process received no answer", "error", err.Error())
		}
		systemd.ready()
		wg.Go(func() { systemd.watch(alive) })
		wg.Go(func() { obey(ctx, hangup, g, systemd) })
		if from.watch {
			wg.Go(func() { g.Watch(ctx, from.file) })
		}
	})
	if err != nil {
		return &exitError{exitFailed, err}
	}
	log.Info("ended")
	return nil
}

// counts returns the metrics. They count nothing without an admin listener.
func counts(log *logging.Log) *metrics.Metrics {
	m := metrics.New(metrics.Build{Version: version(), Revision: thisBuild().Commit, Go: runtime.Version()})
	m.Register("log_records_dropped_total", "Log records that an output did not take in time.", log.Dropped)
	m.SetLog(log.DroppedBy)
	return m
}

// obey reloads at every SIGHUP and starts a new process at every SIGUSR2, until ctx ends.
// The log reports failures. The slow start of a process delays no signal.
func obey(ctx context.Context, signals <-chan os.Signal, g *gate.Gate, systemd supervisor) {
	var upgrades sync.WaitGroup
	defer upgrades.Wait()
	for {
		select {
		case s := <-signals:
			if s == reloadSignal {
				systemd.reload(func() { g.Reread("SIGHUP") })
			} else if path, err := exec.LookPath(os.Args[0]); err == nil {
				upgrades.Go(func() { g.Upgrade(path, os.Args[1:]) })
			}
		case <-ctx.Done():
			return
		}
	}
}

// untilSignal returns a context that ends at the first SIGTERM or SIGINT, and a channel
// that closes at the next one after the end of the context. The cause of the end is the
// name of the signal, for the log. stop ends the context too.
func untilSignal(parent context.Context) (ctx context.Context, now <-chan struct{}, stop func()) {
	ctx, end := context.WithCancelCause(parent)
	second, done := make(chan struct{}), make(chan struct{})
	signals, more := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case s := <-signals:
			name := "SIGTERM"
			if s == syscall.SIGINT {
				name = "SIGINT"
			}
			end(errors.New(name))
		case <-ctx.Done():
		case <-done:
			return
		}
		signal.Notify(more, syscall.SIGTERM, syscall.SIGINT) // only now: a sender may repeat the first one at once
		select {
		case <-more:
			close(second)
		case <-done:
		}
	})
	return ctx, second, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		wg.Wait()
		signal.Stop(more)
		end(nil)
	})
}
