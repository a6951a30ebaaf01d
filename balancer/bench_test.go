package balancer

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkPick(b *testing.B) {
	for _, policy := range Policies() {
		for _, n := range []int{10, 1000, 10000} {
			p := newTestPool(b, Options{Policy: policy, HashLoad: 1.25, Breaker: BreakerOptions{Enabled: true}}, specsOf(n)...)
			for i := range p.Members() {
				attempt(b, &p.Members()[i], Success)
			}
			b.Run(fmt.Sprintf("%s/%d/serial", policy, n), func(b *testing.B) {
				b.ReportAllocs()
				c := Choice{Now: time.Now().UnixNano()}
				for b.Loop() {
					benchPick(p, &c)
				}
			})
			b.Run(fmt.Sprintf("%s/%d/parallel", policy, n), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					c := Choice{Now: time.Now().UnixNano()}
					for pb.Next() {
						benchPick(p, &c)
					}
				})
			})
		}
	}
}

// benchPick picks for a new client each time.
func benchPick(p *Pool, c *Choice) *Member {
	c.Hash += golden
	m := p.Pick(c)
	c.Sticky = m.ID()
	return m
}

// BenchmarkNow measures the saving of a Choice that already has the time.
func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		_ = time.Now().UnixNano()
	}
}

func BenchmarkLease(b *testing.B) {
	for name, o := range map[string]BreakerOptions{
		"breaker=off": {},
		"breaker=on":  {Enabled: true, Consecutive: 5, FailureRatio: 0.5, MinRequests: 20},
	} {
		p := newTestPool(b, Options{Breaker: o}, specsOf(2)...)
		m := &p.Members()[0]
		b.Run(name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				benchLease(m)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					benchLease(m)
				}
			})
		})
	}
}

func benchLease(m *Member) {
	l, _ := m.TryAcquire()
	l.Report(Success, time.Millisecond)
	l.Release()
}

func BenchmarkUpdate(b *testing.B) {
	specs := specsOf(10000)
	for i := range specs {
		specs[i].Weight = 1 + i%7
	}
	for _, policy := range Policies() {
		b.Run(policy, func(b *testing.B) {
			b.ReportAllocs()
			p := newTestPool(b, Options{Policy: policy})
			for b.Loop() {
				p.Update(specs)
			}
		})
	}
}
