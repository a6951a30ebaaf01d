package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

// newHealth returns the command for supervisors that run a program to check another one,
// for example Docker. They know two exit codes, so an unreadable configuration also gives
// 1.
func newHealth() *cobra.Command {
	var a caller
	timeout := 3 * time.Second
	c := &cobra.Command{
		Use:   "health",
		Short: "Exit with 0 if a running goodgate is ready for requests, otherwise with 1",
		Long: `Exit with 0 if a running goodgate is ready for requests, otherwise with 1.

health requests /ready from the admin listener; /ready needs no token. If the file of
--config has no admin.address, health connects to the first listener, and sends nothing.`,
		Example: `  HEALTHCHECK CMD ["/goodgate", "health", "--config", "/etc/goodgate/goodgate.yaml"]`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeoutCause(c.Context(), timeout, fmt.Errorf("no answer within --timeout %v", timeout))
			defer cancel()
			if err := a.healthy(ctx, c.OutOrStdout()); err != nil {
				if late := context.Cause(ctx); late != nil && !errors.Is(err, late) {
					err = fmt.Errorf("%w: %w", late, err)
				}
				return &exitError{exitFailed, err}
			}
			return nil
		},
	}
	a.flags(c)
	c.Flags().Var((*duration)(&timeout), "timeout", "longest wait for the answer")
	return c
}

func (a *caller) healthy(ctx context.Context, out io.Writer) error {
	if a.file != "" {
		cfg, _, err := config.Load(a.file)
		if err != nil {
			return err
		}
		if cfg.Admin.Address == "" {
			return accepts(ctx, cfg, out)
		}
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	if err := client.Ready(ctx); err != nil {
		return err
	}
	printable.Fprintf(out, "ready (%s)\n", client.Address)
	return nil
}

// accepts connects to the first listener and closes the connection.
func accepts(ctx context.Context, cfg *config.Config, out io.Writer) error {
	address := cfg.Listeners[0].Address
	if strings.HasPrefix(address, "fd:") {
		return fmt.Errorf("listeners[0] is %s, and only systemd knows its address: set admin.address", address)
	}
	network, to := dialAddress(address)
	conn, err := new(net.Dialer).DialContext(ctx, network, to)
	if err != nil {
		return fmt.Errorf("no connection to listeners[0], %s: %w", address, err)
	}
	conn.Close()
	printable.Fprintf(out, "accepts connections (%s); set admin.address to learn whether it is ready\n", address)
	return nil
}

// dialAddress returns the address for reaching a listener on this machine. A listener on
// every address is reached at the loopback address: net.Dial uses it for an empty or
// unspecified host.
func dialAddress(listen string) (network, address string) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		return "unix", path
	}
	return "tcp", listen
}
