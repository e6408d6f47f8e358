//! The traits of `futures_io` for types whose `&` has them: whoever owns a stream can use it in the
//! way in which several tasks share it.

/// Implements `AsyncRead` by that of a `&`.
macro_rules! reads_by_reference {
    ([$($generics:tt)*] $reader:ty $(where $($bounds:tt)*)?) => {
        /// The same as for a `&` of it.
        impl<$($generics)*> futures_io::AsyncRead for $reader $(where $($bounds)*)? {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                futures_io::AsyncRead::poll_read(std::pin::Pin::new(&mut &*self), cx, buffer)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let mut reader = &*self;
                futures_io::AsyncRead::poll_read_vectored(
                    std::pin::Pin::new(&mut reader),
                    cx,
                    buffers,
                )
            }
        }
    };
}

/// Implements `AsyncWrite` by that of a `&`.
macro_rules! writes_by_reference {
    ([$($generics:tt)*] $writer:ty $(where $($bounds:tt)*)?) => {
        /// The same as for a `&` of it.
        impl<$($generics)*> futures_io::AsyncWrite for $writer $(where $($bounds)*)? {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                futures_io::AsyncWrite::poll_write(std::pin::Pin::new(&mut &*self), cx, bytes)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let mut writer = &*self;
                futures_io::AsyncWrite::poll_write_vectored(
                    std::pin::Pin::new(&mut writer),
                    cx,
                    buffers,
                )
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                futures_io::AsyncWrite::poll_flush(std::pin::Pin::new(&mut &*self), cx)
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                futures_io::AsyncWrite::poll_close(std::pin::Pin::new(&mut &*self), cx)
            }
        }
    };
}

pub(crate) use {reads_by_reference, writes_by_reference};
