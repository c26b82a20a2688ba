/// One thread, one epoll: descriptors, timers and jobs.
package final class EventLoop: @unchecked Sendable {
  package let index: Int
  package init(index: Int) { self.index = index }
}
