package api

import "sort"

// Routes returns all routes of the API, each as its method and its path as the router knows it, in order; tests walk the
// list.
func (s *Server) Routes() [][2]string {
	var list [][2]string
	for _, r := range s.echo.Routes() {
		list = append(list, [2]string{r.Method, r.Path})
	}
	sort.Slice(list, func(i, j int) bool { return list[i][1]+" "+list[i][0] < list[j][1]+" "+list[j][0] })
	return list
}
