package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/windows/svc"
)

// Windows never sends these signals. `goodgate reload` replaces the first, and nothing
// replaces the others. Ctrl-C arrives as SIGINT; closing the window, logging off and
// shutting down arrive as SIGTERM.
const (
	reloadSignal  = syscall.SIGHUP
	reopenSignal  = syscall.Signal(30)
	upgradeSignal = syscall.Signal(31)
)

// asService calls do. If the service manager has started the process, its stop order ends
// the context like a signal.
func asService(ctx context.Context, do func(context.Context) error) error {
	isService, err := svc.IsWindowsService()
	if err != nil || !isService {
		return do(ctx)
	}
	s := &service{ctx: ctx, do: do}
	return errors.Join(svc.Run("goodgate", s), s.err)
}

// service answers the service manager while do runs.
type service struct {
	ctx context.Context
	do  func(context.Context) error
	err error // of do, once Execute has returned
}

// stopHint is how long the service manager waits for progress before it considers the
// service hung.
const stopHint = 2 * time.Minute

// Execute implements [svc.Handler].
func (s *service) Execute(_ []string, orders <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	const accepts = svc.AcceptStop | svc.AcceptShutdown
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.do(ctx) }()
	current := svc.Status{State: svc.Running, Accepts: accepts}
	status <- current
	for {
		select {
		case s.err = <-ended:
			if s.err != nil {
				return true, exitFailed
			}
			return false, 0
		case o := <-orders:
			switch o.Cmd {
			case svc.Stop, svc.Shutdown:
				cancel()
				current = svc.Status{State: svc.StopPending, WaitHint: uint32(stopHint.Milliseconds())}
			case svc.Interrogate:
			}
			status <- current
		}
	}
}
