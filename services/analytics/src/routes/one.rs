//! The routes that show one of what members keep, and delete it: the same for each kind but for what they say of
//! themselves.

/// `show` and `remove` for a [`Keepsake`](crate::keepsake::Keepsake).
macro_rules! show_and_remove {
    (
        $thing:ident as $view:ident, $the:literal of $tag:literal, at $path:literal;
        $(#[$about_show:meta])*
        show = $show:literal;
        $(#[$about_remove:meta])*
        remove = $remove:literal;
    ) => {
        $(#[$about_show])*
        #[utoipa::path(
            operation_id = $show,
            tag = $tag,
            params(("id" = Uuid, Path, description = $the)),
            responses((status = 200, description = $the, body = $view), NoAccess),
        )]
        #[get($path)]
        pub(super) async fn show(
            caller: ProjectMember,
            id: web::Path<String>,
            state: web::Data<State>,
        ) -> Result<HttpResponse, Problem> {
            let mut conn = state.connection().await?;
            let thing: $thing = caller.visible(&mut conn, &id).await?;
            caller.show(&mut conn, thing).await
        }

        $(#[$about_remove])*
        #[utoipa::path(
            operation_id = $remove,
            tag = $tag,
            params(("id" = Uuid, Path, description = $the), Version),
            responses((status = 204, description = "It is gone"), NoAccess, Stale),
        )]
        #[delete($path)]
        pub(super) async fn remove(
            caller: ProjectMember,
            id: web::Path<String>,
            seen: Seen,
            state: web::Data<State>,
        ) -> Result<HttpResponse, Problem> {
            caller.delete::<$thing>(&state, &id, &seen).await
        }
    };
}

pub(super) use show_and_remove;
