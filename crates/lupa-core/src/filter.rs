//! Attribute filters: a policy over what Lua code may reach by name.

use crate::error::Result;

/// What Lua code is about to do with a member of a host object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Get,
    /// Set it.
    Set,
}

/// Decides over each access by name to a host object's members.
///
/// `Object` is how the binding shows the object and `Name` how it shows the name. The filter
/// gives the name to use, which may be another one, or an error, which is raised in Lua.
/// It runs on the thread that runs the Lua code.
pub trait AttributeFilter<Object, Name>: Send + Sync {
    /// Decides over one access.
    ///
    /// # Errors
    /// Any error denies the access and is raised in Lua.
    fn filter(&self, object: Object, name: Name, access: Access) -> Result<Name>;
}

impl<F, Object, Name> AttributeFilter<Object, Name> for F
where
    F: Fn(Object, Name, Access) -> Result<Name> + Send + Sync,
{
    fn filter(&self, object: Object, name: Name, access: Access) -> Result<Name> {
        self(object, name, access)
    }
}
