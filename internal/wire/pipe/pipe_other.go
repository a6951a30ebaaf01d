//go:build !linux

// Package pipe moves bytes from one socket to another without copying them through the
// process. It works only on Linux.
package pipe

import (
	"errors"
	"syscall"
)

// Pipe is not available on this system.
type Pipe struct{}

// Pool lends no pipes on this system.
type Pool struct {
	Max int // limit on lent pipes
}

// Get returns nil.
func (p *Pool) Get() *Pipe { return nil }

// Put is never called.
func (p *Pool) Put(*Pipe) {}

// Len is never called.
func (c *Pipe) Len() int { return 0 }

// Fill is never called.
func (c *Pipe) Fill(syscall.RawConn, int) (int, error) { return 0, errors.ErrUnsupported }

// Drain is never called.
func (c *Pipe) Drain(syscall.RawConn) (int, error) { return 0, errors.ErrUnsupported }
