package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/handover"
)

// supervisor reports the state of the process to systemd, if systemd has asked for it.
type supervisor struct{ log *slog.Logger }

func (s supervisor) tell(state string) {
	if err := handover.Notify(state); err != nil {
		s.log.Warn("systemd notification failed", "state", state, "error", err.Error())
	}
}

// ready reports that this process serves, with its PID: after an upgrade it is not the
// one that systemd has started.
func (s supervisor) ready() { s.tell(fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid())) }

// reload reports the beginning and the end of a reload.
func (s supervisor) reload(do func()) {
	s.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", handover.Monotonic().Microseconds()))
	do()
	s.tell("READY=1")
}

// stopping reports that this process drains and will end.
func (s supervisor) stopping() { s.tell("STOPPING=1") }

// watch reports until ctx ends that the process is alive.
func (s supervisor) watch(ctx context.Context) {
	every := handover.Watchdog() / 2
	if every == 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.tell("WATCHDOG=1")
		case <-ctx.Done():
			return
		}
	}
}

// stateDir returns systemd's folder for persistent state; empty without one.
func stateDir() string {
	first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	return first
}
