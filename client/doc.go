// Package client talks to a Fetchq server: a typed call for each one of its API (Client), and a runtime for workers
// (Worker) that picks documents, keeps their leases alive and says what became of them.
//
// The types of the API's requests and answers stand here too, and the server uses the same ones. The package needs
// nothing but the standard library.
//
//	c := client.New("http://127.0.0.1:8080", token)
//	err := client.Worker{
//		Client: c, Queue: "pages", Concurrency: 8,
//		Handler: func(ctx context.Context, doc client.Leased) client.Resolution {
//			if err := visit(ctx, doc.Subject); err != nil {
//				return client.Reject(err)
//			}
//			return client.Reschedule("+2 days")
//		},
//	}.Run(ctx)
package client
