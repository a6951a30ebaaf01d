//go:build !linux

// Package pipe moves bytes from one socket to another without copying them
// through the process. It can do so on Linux only.
package pipe

import (
	"errors"
	"syscall"
)

// Pipe is never had here.
type Pipe struct{}

// Pool lends none here.
type Pool struct {
	Max int // that are lent at a time
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
