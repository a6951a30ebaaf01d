package main

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"
)

func TestMoments(t *testing.T) {
	t.Parallel()
	f := func(p pace, want ...time.Duration) {
		t.Helper()
		for i := range want {
			want[i] *= time.Millisecond
		}
		if got := p.moments(); !slices.Equal(got, want) {
			t.Errorf("%+v: got %v, want %v", p, got, want)
		}
	}
	f(pace{rate: 4, last: second}, 0, 250, 500, 750)
	f(pace{rate: 2, last: 2 * second, first: 400 * time.Millisecond}, 400, 900, 1400, 1900)
	f(pace{rate: 4, last: 2 * second, burst: 4}, 0, 0, 0, 0, 1000, 1000, 1000, 1000)
	f(pace{rate: 1, last: 5 * second, pause: span{second, 3 * second}}, 0, 3000, 4000)
	f(pace{rate: 1, last: time.Millisecond}.or(5, second), 0)
	f(pace{}.or(2, second), 0, 500)
}

func TestMixDrawsTheOther(t *testing.T) {
	t.Parallel()
	f := func(every int, want ...int) {
		t.Helper()
		m := mix{posts: 0.5, every: every, other: longGet(second)}
		random := rand.New(rand.NewPCG(1, 0))
		var got []int
		for i := range 7 {
			if r := m.draw(i, random); r == m.other {
				got = append(got, i)
			} else if r.takes > 0 || r.method != http.MethodGet && r.method != http.MethodPost {
				t.Errorf("every %d: request %d is %+v", every, i, r)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("every %d: got the other for %v, want %v", every, got, want)
		}
	}
	f(0)
	f(1, 0, 1, 2, 3, 4, 5, 6)
	f(3, 2, 5)
	f(8)
}
