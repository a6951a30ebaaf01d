//go:build !minimal

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/gate"
	"github.com/goodgate/goodgate/internal/lab/demo"
	"github.com/goodgate/goodgate/internal/printable"
)

func newDemo() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a live demo with failing example backends",
		Long: `Run goodgate in front of three example backends that fail from time to time, send
a steady load through a real listener, and compare live how many requests failed
at the backends and at the clients. The demo stays on this machine. Ctrl-C ends it with a
summary. Every figure is counted, none is estimated.`,
		Example: "  goodgate demo --for 1m",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Check(); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			o.Out = cmd.OutOrStdout()
			sum, err := demo.Run(ctx, o)
			if sum.Requests > 0 {
				io.WriteString(cmd.OutOrStdout(), printable.Lines(sum.String()))
			}
			if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "listen" {
				err = gate.Unbound(o.Listen, err)
			}
			if err != nil {
				return &exitError{exitFailed, err}
			}
			return nil
		},
	}
	f := cmd.Flags()
	o.Rate = 200
	f.Var(number[int]{&o.Rate, 1, demo.MaxRate, strconv.Atoi}, "rate", fmt.Sprintf("requests per second, 1 to %d", demo.MaxRate))
	f.DurationVar(&o.For, "for", 0, "duration of the demo; 0 = until Ctrl-C")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address of the proxy; port 0 = a free one")
	f.BoolVar(&o.Plain, "plain", false, "print a line each second instead of the live view")
	f.Uint64Var(&o.Seed, "seed", 1, "seed for the order of the request methods")
	return cmd
}
