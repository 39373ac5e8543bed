import Glibc

/// A thread of its own for code that blocks, so that no thread of the cooperative pool ever does.
enum NetworkThread {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  static func start(_ run: @escaping @Sendable () -> Void) throws(MQTTError) {
    let body = Unmanaged.passRetained(
      Body {
        blockSignals()
        run()
      })
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    guard status == 0 else {
      body.release()
      throw MQTTError(.configuration, "No thread could be started (error \(status)): raise the limit of processes.")
    }
    pthread_detach(thread)
  }

  /// OpenSSL's writes raise SIGPIPE on a closed socket, and the process's own signals are for others to take.
  private static func blockSignals() {
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, nil)
  }
}
