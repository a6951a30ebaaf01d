package proxy

import (
	"testing"
	"unsafe"
)

// TestExchangeSize: the memory that every waiting client takes stays in its size class of
// the allocator. State that few requests have belongs into extras.
func TestExchangeSize(t *testing.T) {
	const class = 896
	if size := unsafe.Sizeof(exchange{}); size > class {
		t.Errorf("an exchange takes %d bytes, more than %d", size, class)
	}
}
