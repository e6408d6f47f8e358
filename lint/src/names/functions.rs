//! The signatures of the file's functions, as far as seedbed's types are in them.

use syn::{FnArg, ReturnType, Signature};

use super::{Names, TableId, types};
use crate::api::Type;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId(pub(super) usize);

#[derive(Debug)]
pub(super) struct Function {
    /// From where the paths in its signature are to be understood.
    table: TableId,
    parameters: Vec<types::Written>,
    returns: types::Written,
}

impl Names {
    pub(super) fn add_function(&mut self, signature: &Signature, table: TableId) -> FunctionId {
        let parameters = signature.inputs.iter().map(|input| match input {
            FnArg::Typed(typed) => types::written(&typed.ty),
            FnArg::Receiver(_) => types::Written::default(),
        });
        let returns = match &signature.output {
            ReturnType::Type(_, output) => types::written(output),
            ReturnType::Default => types::Written::default(),
        };
        self.functions.push(Function { table, parameters: parameters.collect(), returns });
        FunctionId(self.functions.len() - 1)
    }

    /// Which parameter is a yielder. With more than one, it is not known whose frame it runs in.
    pub fn yielder_of(&self, id: FunctionId) -> Option<usize> {
        let function = &self.functions[id.0];
        let mut yielders = function.parameters.iter().enumerate().filter_map(|(i, parameter)| {
            (self.type_written(parameter, function.table) == Some(Type::Yielder)).then_some(i)
        });
        yielders.next().filter(|_| yielders.next().is_none())
    }

    /// The type that a function returns, also inside a `Result`.
    pub fn returned_by(&self, id: FunctionId) -> Option<Type> {
        let function = &self.functions[id.0];
        self.type_written(&function.returns, function.table)
    }
}
