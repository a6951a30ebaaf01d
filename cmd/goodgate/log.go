package main

import (
	stdlog "log"
	"log/slog"
	"os"
	"os/signal"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/logging"
)

func openLog(c *config.Config) (*logging.Log, error) {
	o, err := assemble.Log(c)
	if err != nil {
		return nil, err
	}
	o.Version = version()
	return logging.Open(o)
}

// human reports whether a person at a terminal reads the log.
func human(c *config.Config) bool {
	o, err := assemble.Log(c)
	return err == nil && o.Form() == logging.Human
}

// relog returns a function that opens the log again when a reload changes it.
func relog(log *logging.Log) func(*config.Config) (*logging.Next, error) {
	return func(c *config.Config) (*logging.Next, error) {
		o, err := assemble.Log(c)
		if err != nil {
			return nil, err
		}
		o.Version = version()
		return log.Prepare(o)
	}
}

// adopt redirects the standard logger into the log. Libraries write to it, for example
// net/http's HTTP/2 about an upstream.
func adopt(log *logging.Log) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer())
}

// reopening opens the log's file again at every SIGUSR1, until the returned function is
// called.
func reopening(log *logging.Log) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, reopenSignal)
	go func() {
		defer close(done)
		for range signals {
			if err := log.Reopen(); err != nil {
				log.Warn("log file not reopened: the old file stays in use", "error", err.Error())
				continue
			}
			log.Info("log reopened")
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}
