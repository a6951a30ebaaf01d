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

// supervisor tells systemd how the process is, if it wants to know.
type supervisor struct{ log *slog.Logger }

func (s supervisor) tell(state string) {
	if err := handover.Notify(state); err != nil {
		s.log.Warn("systemd notification failed", "state", state, "error", err.Error())
	}
}

// ready says that this process serves; one that has taken over is another than
// systemd has started.
func (s supervisor) ready() { s.tell(fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid())) }

// reload says that this process reads its configuration again, and when it has.
func (s supervisor) reload(do func()) {
	s.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", handover.Monotonic().Microseconds()))
	do()
	s.tell("READY=1")
}

// stopping says that this process drains and will end.
func (s supervisor) stopping() { s.tell("STOPPING=1") }

// watch says until ctx ends that the process is alive.
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

// stateDir returns the folder that systemd gives for what has to last; empty without one.
func stateDir() string {
	first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	return first
}
