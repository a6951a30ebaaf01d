package balancer_test

import (
	"fmt"
	"log"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Every request to an upstream takes a lease.
func Example() {
	pool, err := balancer.NewPool(balancer.DefaultOptions("app"))
	if err != nil {
		log.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: "10.0.0.1:80"}, {Addr: "10.0.0.2:80", Weight: 3}})
	defer pool.Update(nil)

	m := pool.Pick(&balancer.Choice{Replayable: true})
	lease, ok := m.TryAcquire()
	if !ok {
		log.Fatal("the limit was reached meanwhile")
	}
	fmt.Println(pool.InFlight())
	lease.Report(balancer.Success, 3*time.Millisecond) // at the response header
	lease.Release()                                    // at the end of the body
	fmt.Println(pool.InFlight())
	// Output:
	// 1
	// 0
}
