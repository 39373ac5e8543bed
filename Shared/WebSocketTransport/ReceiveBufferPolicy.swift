internal import NIOCore

/// How much is read at once: 512 bytes, which almost every client frame fits in and which is all that an idle connection keeps; 16 KiB
/// for as long as reads fill what they are given, in a buffer that is freed after the read.
struct ReceiveBufferPolicy: RecvByteBufferAllocator {
  private static let smallBytes = 512
  private static let largeBytes = 16 * 1024
  private var isLarge = false

  func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
    allocator.buffer(capacity: isLarge ? Self.largeBytes : Self.smallBytes)
  }

  /// NIO keeps and reuses a buffer only while it is told a size.
  func nextBufferSize() -> Int? { isLarge ? nil : Self.smallBytes }

  mutating func record(actualReadBytes: Int) -> Bool {
    let wasLarge = isLarge
    isLarge = actualReadBytes >= Self.smallBytes
    return isLarge && !wasLarge
  }
}
