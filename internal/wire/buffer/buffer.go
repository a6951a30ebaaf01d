// Package buffer lends the memory that streams are copied with. A buffer grows
// while reads fill it and shrinks when they do not, so that a stream on which
// little comes holds little while it waits.
package buffer

import (
	"io"
	"sync"
)

// A buffer holds at most step times what came last, or least.
const (
	least = 2 << 10
	step  = 4
	sizes = 3 // the largest has 32 KiB
)

// Largest is the size of the largest buffer.
const Largest = least * step * step

// Pool lends buffers. The zero value is ready; it is safe for concurrent use.
type Pool struct {
	Extra int // bytes that each has beyond its size

	free [sizes]sync.Pool
}

// Buffer is one that is lent.
type Buffer struct {
	Bytes []byte // its size and Extra
	class int
}

// Get returns a small buffer.
func (p *Pool) Get() *Buffer { return p.get(0) }

func (p *Pool) get(class int) *Buffer {
	if b, ok := p.free[class].Get().(*Buffer); ok {
		return b
	}
	return &Buffer{make([]byte, sizeOf(class)+p.Extra), class}
}

func sizeOf(class int) int {
	n := least
	for range class {
		n *= step
	}
	return n
}

// Put takes a buffer back.
func (p *Pool) Put(b *Buffer) { p.free[b.class].Put(b) }

// Fit returns the buffer for what comes after n bytes, in place of b.
func (p *Pool) Fit(b *Buffer, n int) *Buffer {
	class := b.class
	switch size := sizeOf(class); {
	case n >= size && class < sizes-1:
		class++
	case n < size/step && class > 0:
		class--
	default:
		return b
	}
	p.Put(b)
	return p.get(class)
}

// Copy copies until an end or an error, as io.Copy does. It calls no method of
// src and dst but Read and Write.
func (p *Pool) Copy(dst io.Writer, src io.Reader) (total int64, err error) {
	b := p.Get()
	defer func() { p.Put(b) }()
	for {
		n, failed := src.Read(b.Bytes)
		if n > 0 {
			written, err := dst.Write(b.Bytes[:n])
			total += int64(written)
			if err != nil {
				return total, err
			}
		}
		if failed == io.EOF {
			return total, nil
		}
		if failed != nil {
			return total, failed
		}
		b = p.Fit(b, n)
	}
}
