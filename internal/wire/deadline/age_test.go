package deadline_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

func TestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if never := deadline.AgeIn(0); never.Reached() || never != (deadline.Age{}) {
			t.Errorf("an age of 0 is %+v, want one that never comes", never)
		}
		for range 1000 {
			if left, comes := deadline.AgeIn(time.Hour).Left(); !comes || left < 54*time.Minute || left > time.Hour {
				t.Fatalf("an age of 1h comes in %v (%v), want 54m to 1h", left, comes)
			}
		}
		if deadline.AgeIn(math.MaxInt64).Reached() {
			t.Error("the longest age is reached at once")
		}
		if a := deadline.AgeIn(1); !a.Reached() {
			time.Sleep(time.Nanosecond)
			if !a.Reached() {
				t.Error("the shortest age is not reached after 1ns")
			}
		}
		a := deadline.AgeIn(10 * time.Second)
		if time.Sleep(9*time.Second - 1); a.Reached() {
			t.Error("an age of 10s is reached before 9s")
		}
		if time.Sleep(time.Second + 1); !a.Reached() {
			t.Error("an age of 10s is not reached after 10s")
		}
	})
}
