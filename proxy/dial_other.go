//go:build !linux

package proxy

import (
	"context"
	"syscall"
)

func userTimeout(context.Context, string, string, syscall.RawConn) error { return nil }
