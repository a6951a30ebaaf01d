// Package buffer lends memory for copying streams. A buffer grows while reads fill it
// and shrinks while they do not, so that a slow stream holds little memory while it
// waits.
package buffer

import (
	"io"
	"sync"
)

// A buffer has at most step times the size of the last read, or least.
const (
	least = 2 << 10
	step  = 4
	sizes = 3 // the largest has 32 KiB
)

// Largest is the size of the largest buffer.
const Largest = least * step * step

// Pool lends buffers. The zero value is ready; it is safe for concurrent use.
type Pool struct {
	Extra int // additional bytes of each buffer

	free [sizes]sync.Pool
}

// Buffer is a lent buffer.
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

// Put returns a buffer to the pool.
func (p *Pool) Put(b *Buffer) { p.free[b.class].Put(b) }

// Fit replaces b by the right buffer after a read of n bytes.
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

// Copy copies until the end or an error, like io.Copy. It calls only Read of src and
// Write of dst.
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
