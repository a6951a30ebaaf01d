//go:build unix

package main

import (
	"context"
	"syscall"
)

// Signals for `goodgate run`, besides SIGTERM and SIGINT.
const (
	reloadSignal  = syscall.SIGHUP
	reopenSignal  = syscall.SIGUSR1
	upgradeSignal = syscall.SIGUSR2
)

// asService calls do. On Windows it also obeys the service manager.
func asService(ctx context.Context, do func(context.Context) error) error { return do(ctx) }
