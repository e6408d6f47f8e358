//! The same without a task.

fn main() {
    println!("hello");
}
